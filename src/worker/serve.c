#include "worker/serve.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "worker/launcher.h"

/* So many connections are taken before the loop looks at ended commands again. */
enum { TAKEN_IN_A_ROW = 4 };

enum { RETRY_MS = 100, NO_ROOM_MS = 500 };

static const uint64_t NEVER = UINT64_MAX;

enum mode { SERVING, DRAINING, STOPPING };

struct server {
	const struct options *options;
	struct source *source;
	struct launcher launcher;
	enum mode mode;
	int signal_fd;
	bool is_over;           /* no connection will come any more */
	bool is_short;          /* of descriptors or the like, and that has been said */
	uint64_t resume_at_ms;  /* nothing is taken or tried before */
	uint64_t idle_since_ms; /* meaningful while nothing runs */
	uint64_t kill_at_ms;    /* when stopping */
};

/*
 * A signalfd and not ppoll(2) with handlers: ppoll leaves signals pending for as long as the queue
 * is never empty. And what has no handler needs no reset in the child that shares our memory.
 */
int serve_open_signals(void)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	/* A log line to a supervisor that is gone must not end us. */
	sigaddset(&signals, SIGPIPE);
	if (fd < 0 || sigprocmask(SIG_SETMASK, &signals, NULL) < 0)
		return -errno;
	return fd;
}

static void say_short(struct server *server, int error)
{
	if (!server->is_short)
		log_error("cannot take a connection: %s (see ulimit -n): connections wait, and are "
			  "tried again every %d ms",
			strerror(-error), NO_ROOM_MS);
	server->is_short = true;
	server->resume_at_ms = clock_now_ms() + NO_ROOM_MS;
}

/* The kernel drops a connection that arrives where no descriptor is free: look before taking. */
static bool has_room(struct server *server)
{
	fd_auto int reserve = fd_copy(server->signal_fd);
	if (reserve < 0) {
		say_short(server, -errno);
		return false;
	}
	if (server->is_short)
		log_notice("connections can be taken again");
	server->is_short = false;
	return true;
}

static bool is_paused(const struct server *server)
{
	return server->resume_at_ms != 0;
}

static bool may_take(const struct server *server)
{
	return server->mode != STOPPING && !server->is_over && server->launcher.held_fd < 0 &&
	       !is_paused(server);
}

static void take_one(struct server *server, bool *ret_more)
{
	struct handoff record;
	int connection;
	int r = server->source->methods->take(server->source, &record, &connection);
	*ret_more = r == 1;
	if (r == 1) {
		launcher_start(&server->launcher, &record, connection);
		/* At once: whoever kills us while we start the next one must not make this one unknown. */
		reports_flush(&server->launcher.reports);
		server->idle_since_ms = clock_now_ms();
		if (server->launcher.held_fd >= 0)
			server->resume_at_ms = server->idle_since_ms + RETRY_MS;
	} else if (r == 0) {
		server->is_over = true;
	} else if (r == -EMFILE) {
		log_error("a connection was lost: no descriptor was free for it (see ulimit -n)");
		say_short(server, r);
	} else if (r != -EAGAIN) {
		say_short(server, r);
	}
}

static void take_some(struct server *server)
{
	bool more = may_take(server) && has_room(server);
	for (int i = 0; i < TAKEN_IN_A_ROW && more && may_take(server); i++)
		take_one(server, &more);
}

static void drain(struct server *server)
{
	if (server->mode != SERVING)
		return;
	log_info("draining: no new connections, %zu commands are running",
		server->launcher.children.n);
	server->mode = DRAINING;
	server->source->methods->retire(server->source);
}

static void stop(struct server *server)
{
	struct launcher *launcher = &server->launcher;
	uint64_t now_ms = clock_now_ms();
	if (server->mode == STOPPING) {
		server->kill_at_ms = now_ms;
		return;
	}
	log_info("stopping: %zu commands are running", launcher->children.n);
	server->mode = STOPPING;
	server->kill_at_ms = now_ms + server->options->stop_timeout_ms;
	launcher_give_up(launcher);
	launcher_signal_all(launcher, server->options->stop_signal);
	launcher_signal_all(launcher, SIGCONT); /* one that is suspended must wake to hear it */
}

static void on_signal(struct server *server, int signal_number)
{
	switch (signal_number) {
	case SIGCHLD:
		if (launcher_reap(&server->launcher) > 0)
			server->idle_since_ms = clock_now_ms();
		break;
	case SIGTERM:
	case SIGINT:
		stop(server);
		break;
	case SIGHUP:
		drain(server);
		break;
	case SIGUSR1:
		launcher_report_again(&server->launcher);
		break;
	}
}

static void read_signals(struct server *server)
{
	struct signalfd_siginfo infos[8];
	ssize_t size;
	/* A short read has emptied it: there are fewer kinds of signals than room. */
	do
		size = read(server->signal_fd, infos, sizeof infos);
	while (size < 0 && errno == EINTR);
	for (ssize_t i = 0; i * (ssize_t)sizeof *infos < size; i++)
		on_signal(server, (int)infos[i].ssi_signo);
}

static void pass_deadlines(struct server *server)
{
	if (server->mode != STOPPING && !is_paused(server))
		return;
	uint64_t now_ms = clock_now_ms();
	if (server->mode == STOPPING && now_ms >= server->kill_at_ms) {
		launcher_signal_all(&server->launcher, SIGKILL);
		server->kill_at_ms = NEVER;
	}
	if (is_paused(server) && now_ms >= server->resume_at_ms) {
		server->resume_at_ms = 0;
		launcher_retry(&server->launcher);
		if (server->launcher.held_fd >= 0)
			server->resume_at_ms = now_ms + RETRY_MS;
	}
}

static bool is_idle(const struct server *server)
{
	return server->mode == SERVING && server->launcher.children.n == 0 &&
	       server->launcher.held_fd < 0;
}

static uint64_t idle_end_ms(const struct server *server)
{
	uint64_t timeout_ms = server->options->idle_timeout_ms;
	return timeout_ms && is_idle(server) ? server->idle_since_ms + timeout_ms : NEVER;
}

static int poll_timeout_ms(const struct server *server)
{
	uint64_t end_ms = idle_end_ms(server);
	if (server->mode == STOPPING && server->kill_at_ms < end_ms)
		end_ms = server->kill_at_ms;
	if (is_paused(server) && server->resume_at_ms < end_ms)
		end_ms = server->resume_at_ms;
	if (end_ms == NEVER)
		return -1;
	uint64_t now_ms = clock_now_ms();
	uint64_t left_ms = end_ms > now_ms ? end_ms - now_ms : 0;
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

/* True when something happened, false when a deadline came. */
static bool wait_for_events(struct server *server)
{
	struct source *source = server->source;
	source->methods->watch(source, may_take(server), server->launcher.reports.is_full);
	source->polled[0] = (struct pollfd){ .fd = server->signal_fd, .events = POLLIN };
	return poll(source->polled, source->n_polled, poll_timeout_ms(server)) != 0;
}

static bool is_done(const struct server *server)
{
	bool is_last = server->is_over || server->mode == STOPPING;
	return is_last && server->launcher.children.n == 0 && server->launcher.held_fd < 0;
}

static void run(struct server *server)
{
	server->idle_since_ms = clock_now_ms();
	while (!is_done(server)) {
		bool has_events = wait_for_events(server);
		if (!has_events && clock_now_ms() >= idle_end_ms(server)) {
			log_info("idle for %llu ms: exiting",
				(unsigned long long)server->options->idle_timeout_ms);
			break;
		}
		if (server->source->polled[0].revents)
			read_signals(server);
		pass_deadlines(server);
		take_some(server);
		reports_flush(&server->launcher.reports);
	}
}

int serve(const struct options *options, const struct spawn_plan *plan, struct source *source,
	const struct slots *slots, int signal_fd, char *const environment[])
{
	struct server server = { .options = options, .source = source, .signal_fd = signal_fd };
	int r = launcher_init(&server.launcher, plan, environment, options->service, source, slots);
	if (r == 0) {
		run(&server);
		launcher_fini(&server.launcher);
	}
	return r;
}
