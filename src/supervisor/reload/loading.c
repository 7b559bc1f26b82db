#include "supervisor/reload/loading.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <ev.h>

#include "base/fd.h"
#include "config/pack.h"
#include "config/texts_file.h"
#include "policy/health.h"
#include "supervisor/children.h"
#include "supervisor/supervisor.h"

/* What is to be loaded: a file, or texts that were read before. */
struct what {
	const char *path;
	const struct config_text *texts; /* NULL: the file */
	size_t n_texts;
};

struct loading {
	struct supervisor *supervisor;
	struct child child;
	ev_timer timeout;
	bool is_late;
	struct pack *pack;
	loading_done *done;
	void *context;
};

/* ---- in the process of its own --------------------------------------------------------------- */

__attribute__((noreturn)) static void load(
	const struct what *what, struct pack *pack, int texts_fd)
{
	struct config_errors errors;
	struct config *config;
	bool is_told = false;
	int r = what->texts ? config_load_texts(what->texts, what->n_texts, &config, &errors)
			    : config_load(what->path, &config, &errors);
	if (r == 0)
		is_told = texts_file_write(texts_fd, config) == 0 && pack_fill(pack, config);
	else if (errors.n)
		is_told = pack_fill_errors(pack, &errors);
	_exit(is_told ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Handlers of the supervisor would speak to its loop, through a descriptor that is still shared. */
static void leave_signals(void)
{
	sigset_t none;
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Returns when the new process has let go of our descriptors: a listener that we close meanwhile must
 * not live on in it. (It shares them, for it executes nothing.)
 */
static pid_t fork_loader(const struct what *what, struct pack *pack)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	fd_auto int closed_fd = ends[0];
	fd_auto int open_fd = ends[1];
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid == 0) {
		int texts_fd = dup2(pack->texts->fd, 3);
		fd_close_from(4);
		leave_signals();
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		load(what, pack, texts_fd);
	}
	int saved = errno;
	fd_close(&open_fd);
	char byte;
	while (pid > 0 && read(closed_fd, &byte, 1) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid;
}

/* ---- in the supervisor ----------------------------------------------------------------------- */

/* NULL and errno. */
static struct pack *create_pack(void)
{
	struct pack *pack = pack_create(LOADING_PACK_SIZE);
	if (!pack)
		return NULL;
	pack->texts = texts_file_create();
	if (pack->texts)
		return pack;
	int saved = errno;
	pack_destroy(pack);
	errno = saved;
	return NULL;
}

/* It ended without an answer. */
static void tell_death(const char *path, int status, bool is_late, loading_done *done, void *context)
{
	char reason[HEALTH_STATUS_SIZE], text[512];
	if (is_late)
		snprintf(text, sizeof text,
			"%.300s: loading takes longer than %d s; does the user database answer (getent passwd)?",
			path, LOADING_TIMEOUT_MS / 1000);
	else
		snprintf(text, sizeof text,
			"%.300s: the process that loads it %s; look for unusual constructs in the file, and "
			"whether there is enough memory",
			path, health_format_status(reason, status));
	char *items[] = { text };
	struct config_errors errors = { items, 1 };
	done(context, NULL, &errors);
}

/* Takes the pack. */
static void finish(const char *path, struct pack *pack, int status, bool is_late,
	loading_done *done, void *context)
{
	static const struct config_errors none;
	struct config *config = pack_take(pack);
	if (config) {
		done(context, config, &none);
		return;
	}
	if (pack->errors)
		done(context, NULL, pack->errors);
	else
		tell_death(path, status, is_late, done, context);
	pack_destroy(pack);
}

static int wait_for(const struct what *what, loading_done *done, void *context)
{
	struct pack *pack = create_pack();
	int status = 0;
	if (!pack)
		return -errno;
	pid_t pid = fork_loader(what, pack);
	if (pid < 0) {
		int r = -errno;
		pack_destroy(pack);
		return r;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	finish(what->path, pack, status, false, done, context);
	return 0;
}

int loading_wait(const char *path, loading_done *done, void *context)
{
	const struct what what = { .path = path };
	return wait_for(&what, done, context);
}

int loading_wait_texts(
	const struct config_text *texts, size_t n_texts, loading_done *done, void *context)
{
	const struct what what = { texts[0].path, texts, n_texts };
	return wait_for(&what, done, context);
}

static void on_timeout(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	struct loading *loading = watcher->data;
	loading->is_late = true;
	kill(loading->child.pid, SIGKILL);
}

static void on_exit_of_loader(struct child *child, int status, const struct rusage *usage)
{
	(void)usage;
	struct loading *loading =
		(struct loading *)((char *)child - offsetof(struct loading, child));
	ev_timer_stop(loading->supervisor->loop, &loading->timeout);
	pack_keep_from_children(loading->pack);
	finish(loading->supervisor->config_path, loading->pack, status, loading->is_late,
		loading->done, loading->context);
	free(loading);
}

struct loading *loading_start(struct supervisor *supervisor, loading_done *done, void *context)
{
	struct loading *loading = calloc(1, sizeof *loading);
	struct pack *pack = loading ? create_pack() : NULL;
	const struct what what = { .path = supervisor->config_path };
	pid_t pid = pack ? fork_loader(&what, pack) : -1;
	if (pid < 0) {
		int saved = errno;
		if (pack)
			pack_destroy(pack);
		free(loading);
		errno = saved;
		return NULL;
	}
	*loading = (struct loading){
		.supervisor = supervisor,
		.child = { .pid = pid, .on_exit = on_exit_of_loader },
		.pack = pack,
		.done = done,
		.context = context,
	};
	ev_timer_init(&loading->timeout, on_timeout, LOADING_TIMEOUT_MS / 1000.0, 0);
	loading->timeout.data = loading;
	ev_timer_start(supervisor->loop, &loading->timeout);
	children_add(&supervisor->children, &loading->child);
	return loading;
}

void loading_cancel(struct loading *loading)
{
	pid_t pid = loading->child.pid;
	ev_timer_stop(loading->supervisor->loop, &loading->timeout);
	children_remove(&loading->supervisor->children, &loading->child);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	pack_destroy(loading->pack);
	free(loading);
}
