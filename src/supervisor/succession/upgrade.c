#include "supervisor/succession/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/server.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/shortage.h"
#include "base/text.h"
#include "policy/health.h"
#include "process/spawn.h"
#include "supervisor/acceptor.h"
#include "supervisor/helpers.h"
#include "supervisor/notify.h"
#include "supervisor/reload/reload.h"
#include "supervisor/service/service.h"
#include "supervisor/succession/adopt.h"
#include "supervisor/succession/saved.h"
#include "supervisor/succession/saved_clients.h"
#include "supervisor/supervisor.h"

/* A self-test looks up users, who may be on a server. */
enum { TEST_TIMEOUT_MS = 30000, OUTPUT_SIZE = 2048 };

/* How long an acceptor may take to read what it was told, and calls until they are answered. */
enum { QUIET_TRIES = 100 };
static const double quiet_s = 0.01;

struct upgrade {
	struct supervisor *supervisor;
	struct admin_call *call;
	struct child child; /* the self-test */
	ev_timer timeout;   /* of the test; then the next look whether all is quiet */
	ev_io readable;     /* its output; the descriptor is owned */
	unsigned n_tries;
	bool is_late;
	int pack_fd;        /* owned */
	uint64_t identity;  /* of the file that was tested */
	bool has_blocked;   /* signals: from now on they wait for the other program */
	sigset_t before;    /* the mask until then */
	size_t n_output;
	char output[OUTPUT_SIZE];
};

static void destroy(struct upgrade *upgrade)
{
	struct supervisor *supervisor = upgrade->supervisor;
	ev_timer_stop(supervisor->loop, &upgrade->timeout);
	ev_io_stop(supervisor->loop, &upgrade->readable);
	if (upgrade->readable.fd >= 0)
		close(upgrade->readable.fd);
	fd_close(&upgrade->pack_fd);
	if (upgrade->has_blocked)
		sigprocmask(SIG_SETMASK, &upgrade->before, NULL);
	free(upgrade);
	supervisor->upgrade = NULL;
}

__attribute__((format(printf, 2, 3))) static void refuse(
	struct upgrade *upgrade, const char *format, ...)
{
	struct supervisor *supervisor = upgrade->supervisor;
	struct admin_call *call = upgrade->call;
	char reason[OUTPUT_SIZE + 512];
	va_list args;
	va_start(args, format);
	vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	log_error("upgrade refused: %s; fdsup %s goes on", reason, FDSUP_VERSION);
	destroy(upgrade);
	admin_error(call, "org.fdsup.Failed", json_pack("{s:s}", "reason", reason));
	if (supervisor->has_hup)
		reload_request(supervisor, NULL, false);
	supervisor->has_hup = false;
}

/* ---- the exec ---------------------------------------------------------------------------------- */

static int set_close_on_exec(const struct state *state, int flag)
{
	for (size_t i = 0; i < state->n; i++) {
		const struct state_fds *fds = &state->records[i].fds;
		for (size_t j = 0; j < fds->n; j++)
			if (fcntl(fds->items[j], F_SETFD, flag) < 0)
				return -errno;
	}
	return 0;
}

/* Returns only when it has failed: -errno. */
static int execute(struct upgrade *upgrade, const struct state *state, int state_fd)
{
	struct supervisor *supervisor = upgrade->supervisor;
	char text[32];
	snprintf(text, sizeof text, "%d %d", state_fd, upgrade->pack_fd);
	if (setenv(adopt_variable, text, 1) < 0)
		return -errno;
	notify_export();
	int r = set_close_on_exec(state, 0);
	if (r == 0 && (fcntl(state_fd, F_SETFD, 0) < 0 || fcntl(upgrade->pack_fd, F_SETFD, 0) < 0))
		r = -errno;
	if (r == 0) {
		execv(supervisor->program_path, supervisor->arguments);
		r = -errno;
	}
	set_close_on_exec(state, FD_CLOEXEC);
	fcntl(upgrade->pack_fd, F_SETFD, FD_CLOEXEC);
	unsetenv(adopt_variable);
	notify_init();
	return r;
}

static void change_over(struct upgrade *upgrade)
{
	struct supervisor *supervisor = upgrade->supervisor;
	struct state state = { 0 };
	supervisor->n_upgrades++;
	int r = saved_world(supervisor, &state);
	if (r == 0)
		r = saved_clients_add(supervisor, upgrade->call, &state);
	fd_auto int state_fd = r == 0 ? state_write(&state) : r;
	r = state_fd < 0 ? state_fd : execute(upgrade, &state, state_fd);
	supervisor->n_upgrades--;
	state_free(&state);
	refuse(upgrade, "%s cannot be executed: %s", supervisor->program_path, strerror(-r));
}

/* What was told to an acceptor and not sent yet would be lost. */
static bool have_channels_backlog(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_acceptors; i++)
		if (channel_has_backlog(&supervisor->acceptors[i]->channel))
			return true;
	return false;
}

static void look_again(struct upgrade *upgrade, double after_s)
{
	ev_timer_set(&upgrade->timeout, after_s, 0);
	ev_timer_start(upgrade->supervisor->loop, &upgrade->timeout);
}

/*
 * A signal that the loop has got and not yet dealt with would go with this program. Those that come
 * from now on wait for the other one; for those that came there is one more turn of the loop.
 */
static void block_signals(struct upgrade *upgrade)
{
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &upgrade->before);
	upgrade->has_blocked = true;
	look_again(upgrade, 0);
}

static void try_to_change_over(struct upgrade *upgrade)
{
	struct supervisor *supervisor = upgrade->supervisor;
	if (supervisor->is_stopping) {
		refuse(upgrade, "fdsup is stopping");
		return;
	}
	if (helpers_identity(supervisor->program_path) != upgrade->identity) {
		refuse(upgrade, "%s was changed while it was tested; upgrade again",
			supervisor->program_path);
		return;
	}
	bool has_backlog = have_channels_backlog(supervisor);
	bool is_quiet = !has_backlog && !saved_clients_have_others(supervisor, upgrade->call);
	if (!is_quiet && ++upgrade->n_tries < QUIET_TRIES) {
		look_again(upgrade, quiet_s);
	} else if (has_backlog) {
		refuse(upgrade, "an acceptor does not read what it is told; upgrade again later");
	} else if (!upgrade->has_blocked) {
		block_signals(upgrade);
	} else {
		change_over(upgrade);
	}
}

/* ---- the self-test ----------------------------------------------------------------------------- */

static void read_output(struct upgrade *upgrade)
{
	ssize_t n;
	while (upgrade->n_output < OUTPUT_SIZE - 1 &&
		(n = read(upgrade->readable.fd, upgrade->output + upgrade->n_output,
			 OUTPUT_SIZE - 1 - upgrade->n_output)) > 0)
		upgrade->n_output += (size_t)n;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)events;
	struct upgrade *upgrade = watcher->data;
	size_t before = upgrade->n_output;
	read_output(upgrade);
	if (upgrade->n_output == before)
		ev_io_stop(loop, watcher); /* the end, or more than anybody would read */
}

static void on_test_failed(struct upgrade *upgrade, int status)
{
	const char *path = upgrade->supervisor->program_path;
	char text[HEALTH_STATUS_SIZE], escaped[OUTPUT_SIZE];
	/* Its first line: one that does not know the option shows its whole usage. */
	const char *end = memchr(upgrade->output, '\n', upgrade->n_output);
	size_t n = end ? (size_t)(end - upgrade->output) : upgrade->n_output;
	text_escape(escaped, sizeof escaped, upgrade->output, n);
	if (upgrade->is_late)
		refuse(upgrade, "the self-test of %s takes longer than %d s; does the user database "
				"answer (getent passwd)?",
			path, TEST_TIMEOUT_MS / 1000);
	else
		refuse(upgrade, "%s has failed its self-test (%s): %s", path,
			health_format_status(text, status), n ? escaped : "it said nothing");
}

static void on_exit_of_test(struct child *child, int status, const struct rusage *usage)
{
	(void)usage;
	struct upgrade *upgrade = (struct upgrade *)((char *)child - offsetof(struct upgrade, child));
	read_output(upgrade);
	ev_timer_stop(upgrade->supervisor->loop, &upgrade->timeout);
	if (status == 0 && !strncmp(upgrade->output, "ok ", 3))
		try_to_change_over(upgrade);
	else
		on_test_failed(upgrade, status);
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct upgrade *upgrade = timer->data;
	if (!upgrade->child.pid) {
		try_to_change_over(upgrade);
		return;
	}
	upgrade->is_late = true;
	kill(upgrade->child.pid, SIGKILL);
}

/* The texts of all configurations, in the order in which the test will find their records. */
static int hand_texts_over(void *context, struct state_record *record)
{
	struct spawn_request *request = context;
	size_t n_texts = request->n_descriptors - ADOPT_TEXTS_FD;
	if (n_texts == ADOPT_TEXTS_MAX || record->fds.n != 1)
		return -E2BIG;
	request->descriptors[request->n_descriptors++] =
		(struct spawn_descriptor){ record->fds.items[0], ADOPT_TEXTS_FD + (int)n_texts };
	return 0;
}

static pid_t start_test(struct upgrade *upgrade, const struct state *state, const char **ret_step)
{
	static char *const environment[] = { NULL };
	struct supervisor *supervisor = upgrade->supervisor;
	char *const arguments[] = { supervisor->arguments[0], "--adopt-check", NULL };
	int ends[2];
	*ret_step = "pipe";
	fd_auto int state_fd = state_write(state);
	if (state_fd < 0)
		return state_fd;
	upgrade->pack_fd = memfd_create("fdsup-pack", MFD_CLOEXEC);
	if (upgrade->pack_fd < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	fd_auto int write_fd = ends[1];
	ev_io_set(&upgrade->readable, ends[0], EV_READ);
	struct spawn_request request = {
		.path = supervisor->program_path,
		.argv = arguments,
		.envp = environment,
		.umask = 077,
		.descriptors = {
			{ supervisor->null_fd, 0 },
			{ write_fd, 1 },
			{ write_fd, 2 },
			{ state_fd, ADOPT_STATE_FD },
			{ upgrade->pack_fd, ADOPT_PACK_FD },
		},
		.n_descriptors = ADOPT_TEXTS_FD,
	};
	int r = fd_set_nonblocking(ends[0]);
	*ret_step = "configurations by which services still finish";
	if (r == 0)
		r = state_each(state, "texts/", hand_texts_over, &request);
	return r < 0 ? r : spawn(&request, ret_step);
}

static void begin(struct upgrade *upgrade)
{
	struct supervisor *supervisor = upgrade->supervisor;
	struct state state = { 0 };
	const char *step = "state";
	upgrade->identity = helpers_identity(supervisor->program_path);
	int r = saved_world(supervisor, &state);
	pid_t pid = r == 0 ? start_test(upgrade, &state, &step) : r;
	state_free(&state);
	if (pid < 0) {
		refuse(upgrade, "the self-test of %s cannot be started: %s: %s",
			supervisor->program_path, step, shortage_explain(-pid));
		return;
	}
	upgrade->child.pid = pid;
	upgrade->child.on_exit = on_exit_of_test;
	children_add(&supervisor->children, &upgrade->child);
	ev_io_start(supervisor->loop, &upgrade->readable);
	ev_timer_start(supervisor->loop, &upgrade->timeout);
}

/* ---- asked for --------------------------------------------------------------------------------- */

static bool is_reloading(const struct supervisor *supervisor)
{
	bool is_trying = supervisor->reloads || supervisor->rolling;
	for (size_t i = 0; i < supervisor->n_services; i++)
		is_trying |= supervisor->services[i]->roll != NULL;
	return is_trying;
}

void upgrade_request(struct supervisor *supervisor, struct admin_call *call)
{
	const char *reason = !supervisor->program_path ? "without /proc the program's path is unknown"
			     : supervisor->upgrade ? "another upgrade is under way"
			     : is_reloading(supervisor)
				     ? "a reload is under way; upgrade when all services have changed over"
				     : NULL;
	if (reason) {
		admin_error(call, "org.fdsup.Busy", json_pack("{s:s}", "reason", reason));
		return;
	}
	struct upgrade *upgrade = calloc(1, sizeof *upgrade);
	if (!upgrade) {
		admin_error(call, "org.fdsup.Failed", json_pack("{s:s}", "reason", "out of memory"));
		return;
	}
	upgrade->supervisor = supervisor;
	upgrade->call = call;
	upgrade->pack_fd = -1;
	ev_io_init(&upgrade->readable, on_readable, -1, EV_READ);
	ev_timer_init(&upgrade->timeout, on_timeout, TEST_TIMEOUT_MS / 1000.0, 0);
	ev_set_priority(&upgrade->timeout, EV_MINPRI); /* after the signals of its turn */
	upgrade->readable.data = upgrade->timeout.data = upgrade;
	supervisor->upgrade = upgrade;
	begin(upgrade);
}

void upgrade_end(struct supervisor *supervisor)
{
	struct upgrade *upgrade = supervisor->upgrade;
	if (!upgrade)
		return;
	pid_t pid = upgrade->child.pid;
	if (pid) {
		children_remove(&supervisor->children, &upgrade->child);
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	supervisor->has_hup = false;
	refuse(upgrade, "fdsup is stopping");
}
