/*
 * The keeper as a process: started, replaced, ended, and handed over to the program that takes our place.
 */
#include "supervisor/succession/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/shortage.h"
#include "policy/health.h"
#include "process/orphans.h"
#include "process/spawn.h"
#include "supervisor/helpers.h"
#include "supervisor/succession/keeper_parts.h"
#include "supervisor/supervisor.h"
#include "wire/keeping.h"

enum { END_MS = 2000 };

static const double retry_s = 1;

void keeper_name_socket(const struct supervisor *supervisor, struct sockaddr_un *name)
{
	*name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* As long as that of notify.sock, which was looked at. */
	snprintf(name->sun_path, sizeof name->sun_path, "%s/keeper.sock",
		supervisor->config->runtime_dir);
}

static int listen_at(const struct sockaddr_un *name)
{
	fd_auto int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(name->sun_path);
	/* From its first moment it is ours alone. */
	mode_t before = umask(0177);
	int r = bind(fd, (const struct sockaddr *)name, sizeof *name) < 0 ? -errno : 0;
	umask(before);
	if (r == 0 && listen(fd, 4) < 0)
		r = -errno;
	return r < 0 ? r : fd_take(&fd);
}

static void watch(struct keeper *keeper)
{
	struct ev_loop *loop = keeper->supervisor->loop;
	channel_deepen(&keeper->channel);
	ev_io_set(&keeper->readable, keeper->channel.socket, EV_READ);
	ev_io_set(&keeper->writable, keeper->channel.socket, EV_WRITE);
	ev_io_start(loop, &keeper->readable);
}

static void hang_up(struct keeper *keeper)
{
	struct ev_loop *loop = keeper->supervisor->loop;
	if (loop) {
		ev_io_stop(loop, &keeper->readable);
		ev_io_stop(loop, &keeper->writable);
		ev_timer_stop(loop, &keeper->retry);
		ev_timer_stop(loop, &keeper->patience);
		ev_timer_stop(loop, &keeper->deaths);
		ev_idle_stop(loop, &keeper->filling);
	}
	keeper->is_filling = false;
	channel_fini(&keeper->channel);
}

static pid_t spawn_process(struct supervisor *supervisor, int control_fd, const char **ret_step)
{
	static char *const argv[] = {
		(char *)"fdsup-keeper", (char *)"--control", (char *)"3", (char *)"--listen", (char *)"4", NULL,
	};
	/* By which fdsup --end finds one that hangs. */
	char instance[64];
	snprintf(instance, sizeof instance, "%s=%s", orphans_instance, supervisor->instance);
	char *const environment[] = { instance, NULL };
	struct sockaddr_un name;
	keeper_name_socket(supervisor, &name);
	*ret_step = name.sun_path;
	fd_auto int listen_fd = listen_at(&name);
	if (listen_fd < 0)
		return listen_fd;
	struct spawn_request request = {
		.path = supervisor->keeper_path,
		.argv = argv,
		.envp = environment,
		.umask = 077,
		.no_new_privileges = true,
		.descriptors = {
			{ supervisor->null_fd, 0 },
			{ supervisor->null_fd, 1 },
			{ supervisor->null_fd, 2 },
			{ control_fd, 3 },
			{ listen_fd, 4 },
		},
		.n_descriptors = 5,
	};
	return spawn(&request, ret_step);
}

static int start_process(struct keeper *keeper)
{
	int ends[2];
	const char *step;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	fd_auto int ours = ends[0];
	fd_auto int theirs = ends[1];
	pid_t pid = spawn_process(keeper->supervisor, theirs, &step);
	if (pid < 0) {
		log_error("keeper: %s: %s", step, shortage_explain(-pid));
		return pid;
	}
	keeper->child.pid = pid;
	children_add_lasting(&keeper->supervisor->children, &keeper->child);
	channel_init(&keeper->channel, fd_take(&ours));
	keeper->started_ms = clock_now_ms();
	keeper->program = helpers_identity(keeper->supervisor->keeper_path);
	keeper->n_syncs = keeper->n_synced = 0;
	keeper->is_told_off = false;
	keeper->is_empty = true;
	watch(keeper);
	keeper_touch_all(keeper->supervisor);
	return 0;
}

static void retry_later(struct keeper *keeper)
{
	ev_timer_set(&keeper->retry, retry_s, 0);
	ev_timer_start(keeper->supervisor->loop, &keeper->retry);
}

static void start_or_retry(struct keeper *keeper)
{
	if (start_process(keeper) == 0)
		return;
	log_error("cannot start the keeper %s: all goes on, but if fdsup dies now its acceptors end, too; "
		  "tried again every second",
		keeper->supervisor->keeper_path);
	retry_later(keeper);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	start_or_retry(timer->data);
}

static void on_exit_of_keeper(struct child *child, int status, const struct rusage *usage)
{
	(void)usage;
	struct keeper *keeper = (struct keeper *)((char *)child - offsetof(struct keeper, child));
	char text[HEALTH_STATUS_SIZE];
	hang_up(keeper);
	if (status == 0) { /* it was asked to */
		log_info("the keeper is replaced");
		start_or_retry(keeper);
		return;
	}
	bool is_early = clock_now_ms() - keeper->started_ms < (uint64_t)(retry_s * 1000);
	log_warning("the keeper %s; another takes its place%s", health_format_status(text, status),
		is_early ? " in a second" : "");
	if (is_early)
		retry_later(keeper);
	else
		start_or_retry(keeper);
}

struct keeper *keeper_make(struct supervisor *supervisor)
{
	struct keeper *keeper = calloc(1, sizeof *keeper);
	if (!keeper)
		return NULL;
	keeper->supervisor = supervisor;
	keeper->child.pidfd = -1;
	keeper->child.on_exit = on_exit_of_keeper;
	keeper->channel.socket = -1;
	ev_init(&keeper->readable, keeper_on_readable);
	ev_init(&keeper->writable, keeper_on_writable);
	ev_init(&keeper->retry, on_retry);
	ev_init(&keeper->patience, keeper_on_patience);
	ev_init(&keeper->deaths, keeper_on_deaths);
	ev_idle_init(&keeper->filling, keeper_on_filling);
	keeper->readable.data = keeper->writable.data = keeper;
	keeper->retry.data = keeper->patience.data = keeper->deaths.data = keeper;
	return keeper;
}

void keeper_start(struct supervisor *supervisor)
{
	supervisor->keeper = keeper_make(supervisor);
	int r = supervisor->keeper ? keeper_make_doubt(supervisor) : -ENOMEM;
	if (r < 0)
		log_error("no keeper: %s; if fdsup dies now its acceptors end, too", strerror(-r));
	else
		start_or_retry(supervisor->keeper);
}

static void say_bye(struct keeper *keeper)
{
	struct keeping_message bye = { .kind = KEEPING_BYE };
	(void)channel_send(&keeper->channel, &bye, sizeof bye, NULL, 0);
}

/* Until it has closed all that it had: at once, even one that was stopped, if its process is known. */
static void await_end(struct keeper *keeper)
{
	struct pollfd end = { .fd = keeper->channel.socket, .events = POLLRDHUP };
	pid_t pid = keeper->child.pid;
	if (pid)
		kill(pid, SIGKILL);
	(void)poll(&end, 1, END_MS);
	if (!pid)
		return;
	if (keeper->child.children)
		children_remove(&keeper->supervisor->children, &keeper->child);
	while (!keeper->child.is_adopted && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void keeper_leave(struct supervisor *supervisor)
{
	struct keeper *keeper = supervisor->keeper;
	supervisor->keeper = NULL;
	if (!keeper)
		return;
	hang_up(keeper);
	free(keeper->editions);
	free(keeper);
}

void keeper_end(struct supervisor *supervisor)
{
	struct keeper *keeper = supervisor->keeper;
	struct sockaddr_un name;
	if (!keeper)
		return;
	if (keeper_is_there(keeper)) {
		say_bye(keeper);
		await_end(keeper);
	}
	hang_up(keeper);
	keeper_name_socket(supervisor, &name);
	unlink(name.sun_path);
	free(keeper->editions);
	free(keeper);
	supervisor->keeper = NULL;
	keeper_free_doubt(supervisor);
}

/* ---- over to another program ------------------------------------------------------------------- */

json_t *keeper_save(const struct supervisor *supervisor, struct state_fds *fds)
{
	const struct keeper *keeper = supervisor->keeper;
	if (!supervisor->doubt)
		return NULL;
	json_t *json = json_object();
	json_object_set_new(json, "doubt_fd", state_save_fd(supervisor->doubt_fd, fds));
	json_object_set_new(json, "program", json_integer((json_int_t)keeper->program));
	/* It need not keep the way to itself. */
	if (fds->is_brief || !keeper_is_there(keeper))
		return json;
	json_object_set_new(json, "pid", json_integer(keeper->child.pid));
	json_object_set_new(json, "is_adopted", json_boolean(keeper->child.is_adopted));
	json_object_set_new(json, "pidfd", state_save_fd(keeper->child.pidfd, fds));
	json_object_set_new(json, "socket", state_save_fd(keeper->channel.socket, fds));
	return json;
}

int keeper_restore(struct supervisor *supervisor, const json_t *json, struct state_fds *fds)
{
	struct keeper *keeper = supervisor->keeper ? supervisor->keeper : keeper_make(supervisor);
	supervisor->keeper = keeper;
	if (!keeper)
		return -ENOMEM;
	keeper->program = (uint64_t)json_integer_value(json_object_get(json, "program"));
	int r = state_restore_fd(json_object_get(json, "doubt_fd"), fds, &supervisor->doubt_fd);
	if (r < 0 || keeper_is_there(keeper))
		return r;
	keeper->child.pid = (pid_t)json_integer_value(json_object_get(json, "pid"));
	keeper->child.is_adopted = json_is_true(json_object_get(json, "is_adopted"));
	r = state_restore_fd(json_object_get(json, "pidfd"), fds, &keeper->child.pidfd);
	return r < 0 ? r
		     : state_restore_fd(json_object_get(json, "socket"), fds, &keeper->channel.socket);
}

void keeper_resume(struct supervisor *supervisor)
{
	struct keeper *keeper = supervisor->keeper;
	if (!keeper) {
		keeper_start(supervisor); /* the program before us had none */
		return;
	}
	if (supervisor->doubt_fd < 0 || keeper_map_doubt(supervisor) < 0)
		supervisor->doubt = NULL;
	if (!keeper_is_there(keeper)) {
		start_or_retry(keeper);
		return;
	}
	keeper->child.children = &supervisor->children;
	if (keeper->child.pid)
		children_resume(&supervisor->children, &keeper->child);
	watch(keeper);
	if (keeper->program == helpers_identity(supervisor->keeper_path))
		keeper_touch_all(supervisor);
	else
		say_bye(keeper); /* it may speak another language than we do from now on */
}
