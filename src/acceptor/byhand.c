#include "acceptor/byhand.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>

#include "acceptor/byhand_listeners.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/names.h"
#include "confine/confine.h"
#include "wire/descriptor.h"

enum {
	ACCEPT_BATCH = 16,
	RECONNECT_MIN_MS = 50,
	RECONNECT_MAX_MS = 2000,
	RETRY_MIN_MS = 2,
	RETRY_MAX_MS = 50,
	REST_MS = 1000,
};

struct byhand {
	const struct options *options;
	struct ev_loop *loop;
	ev_io listeners[RESOLVE_MAX];
	int n_listeners;
	struct sockaddr_un worker;
	socklen_t worker_length;
	ev_io worker_io; /* its descriptor: -1 while there is no worker */
	ev_timer connect_timer;
	ev_timer retry_timer; /* the worker's socket is full; or nothing to accept with */
	ev_signal term, interrupt;
	int in_hand; /* accepted and not yet passed; -1: none */
	uint32_t connect_ms, retry_ms;
	bool has_complained; /* about the worker that is not there */
};

static void start_timer(struct byhand *byhand, ev_timer *timer, uint32_t ms)
{
	ev_timer_stop(byhand->loop, timer);
	ev_timer_set(timer, ms / 1000.0, 0);
	ev_timer_start(byhand->loop, timer);
}

static uint32_t doubled(uint32_t ms, uint32_t min, uint32_t max)
{
	if (ms == 0)
		return min;
	return ms * 2 < max ? ms * 2 : max;
}

/* Accepting makes sense only while what is accepted can be passed on. */
static void watch_listeners(struct byhand *byhand)
{
	bool may_accept = byhand->worker_io.fd >= 0 && byhand->in_hand < 0 &&
			  !ev_is_active(&byhand->retry_timer);
	for (int i = 0; i < byhand->n_listeners; i++)
		if (may_accept)
			ev_io_start(byhand->loop, &byhand->listeners[i]);
		else
			ev_io_stop(byhand->loop, &byhand->listeners[i]);
}

static void lose_worker(struct byhand *byhand, const char *how)
{
	log_warning("worker %s %s; clients wait in the kernel until it is back",
		byhand->options->worker_socket, how);
	ev_io_stop(byhand->loop, &byhand->worker_io);
	fd_close(&byhand->worker_io.fd);
	ev_timer_stop(byhand->loop, &byhand->retry_timer);
	byhand->retry_ms = 0;
	byhand->has_complained = true;
	byhand->connect_ms = doubled(byhand->connect_ms, RECONNECT_MIN_MS, RECONNECT_MAX_MS);
	start_timer(byhand, &byhand->connect_timer, byhand->connect_ms);
}

/* Passes what is in hand, or keeps it. */
static void pass(struct byhand *byhand)
{
	static const char zero;
	int r = descriptor_send(byhand->worker_io.fd, &zero, 1, &byhand->in_hand, 1);
	if (r == 0) {
		fd_close(&byhand->in_hand);
		byhand->retry_ms = 0;
		byhand->connect_ms =
			0; /* one that only connects and goes is asked ever more rarely */
		if (byhand->options->is_verbose)
			log_info("connection passed to %s", byhand->options->worker_socket);
	} else if (r == -EAGAIN || r == -ETOOMANYREFS || r == -ENOBUFS || r == -ENOMEM) {
		/* A socket tells only when most of it has been read, so it is tried anyway. */
		byhand->retry_ms = doubled(byhand->retry_ms, RETRY_MIN_MS, RETRY_MAX_MS);
		start_timer(byhand, &byhand->retry_timer, byhand->retry_ms);
	} else {
		lose_worker(byhand, strerror(-r));
	}
}

static void on_retry_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	struct byhand *byhand = timer->data;
	if (byhand->in_hand >= 0 && byhand->worker_io.fd >= 0)
		pass(byhand);
	watch_listeners(byhand);
}

/* A worker that speaks the classic format says nothing; its end is all there is to read. */
static void on_worker_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	struct byhand *byhand = io->data;
	char bytes[256];
	struct descriptor_message message = { .bytes = bytes, .size = sizeof bytes };
	int r = descriptor_receive(io->fd, &message);
	if (r == 1 || r == -EAGAIN)
		return;
	lose_worker(byhand, "is gone");
	watch_listeners(byhand);
}

static int connect_worker(struct byhand *byhand)
{
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&byhand->worker, byhand->worker_length) < 0)
		return -errno;
	ev_io_set(&byhand->worker_io, fd_take(&fd), EV_READ);
	ev_io_start(byhand->loop, &byhand->worker_io);
	return 0;
}

static void on_connect_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	struct byhand *byhand = timer->data;
	int r = connect_worker(byhand);
	if (r < 0) {
		if (!byhand->has_complained)
			log_warning("no worker on %s: %s; trying again until there is one",
				byhand->options->worker_socket, strerror(-r));
		byhand->has_complained = true;
		byhand->connect_ms =
			doubled(byhand->connect_ms, RECONNECT_MIN_MS, RECONNECT_MAX_MS);
		start_timer(byhand, timer, byhand->connect_ms);
		return;
	}
	log_info("connected to the worker on %s", byhand->options->worker_socket);
	byhand->has_complained = false;
	if (byhand->in_hand >= 0)
		pass(byhand);
	watch_listeners(byhand);
}

static void on_acceptable(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	struct byhand *byhand = io->data;
	for (int i = 0; i < ACCEPT_BATCH && byhand->worker_io.fd >= 0 && byhand->in_hand < 0; i++) {
		byhand->in_hand = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
		if (byhand->in_hand >= 0) {
			pass(byhand);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			log_error("cannot accept: %s; pausing for a second", strerror(errno));
			start_timer(byhand, &byhand->retry_timer, REST_MS);
		}
		break; /* nobody is left, or the next one is told by the next turn */
	}
	watch_listeners(byhand);
}

static void on_signal(struct ev_loop *loop, ev_signal *signal, int revents)
{
	(void)revents;
	log_info("ending: signal %s", signal_name(signal->signum));
	ev_break(loop, EVBREAK_ALL);
}

static bool set_worker_address(struct byhand *byhand)
{
	const char *name = byhand->options->worker_socket;
	size_t length = strlen(name);
	if (!length || !strcmp(name, "@")) {
		log_error("the worker's socket has no name");
		return false;
	}
	if (length >= sizeof byhand->worker.sun_path) {
		log_error(
			"the worker's socket %s has a name of %zu bytes; at most %zu are possible",
			name, length, sizeof byhand->worker.sun_path - 1);
		return false;
	}
	byhand->worker.sun_family = AF_UNIX;
	memcpy(byhand->worker.sun_path, name, length + 1);
	byhand->worker_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (*name == '@')
		byhand->worker.sun_path[0] = 0; /* abstract: the length ends it, not a null */
	else
		byhand->worker_length++;
	return true;
}

static void start_signals(struct byhand *byhand)
{
	signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&byhand->term, on_signal, SIGTERM);
	ev_signal_init(&byhand->interrupt, on_signal, SIGINT);
	ev_signal_start(byhand->loop, &byhand->term);
	ev_signal_start(byhand->loop, &byhand->interrupt);
}

static void start(struct byhand *byhand, const int fds[])
{
	for (int i = 0; i < byhand->n_listeners; i++) {
		ev_io_init(&byhand->listeners[i], on_acceptable, fds[i], EV_READ);
		byhand->listeners[i].data = byhand;
	}
	ev_io_init(&byhand->worker_io, on_worker_readable, -1, EV_READ);
	ev_timer_init(&byhand->connect_timer, on_connect_timer, 0, 0);
	ev_init(&byhand->retry_timer, on_retry_timer);
	byhand->worker_io.data = byhand->connect_timer.data = byhand->retry_timer.data = byhand;
	ev_timer_start(byhand->loop, &byhand->connect_timer);
}

static void finish(struct byhand *byhand)
{
	for (int i = 0; i < byhand->n_listeners; i++) {
		ev_io_stop(byhand->loop, &byhand->listeners[i]);
		fd_close(&byhand->listeners[i].fd);
	}
	ev_io_stop(byhand->loop, &byhand->worker_io);
	fd_close(&byhand->worker_io.fd);
	fd_close(&byhand->in_hand);
	ev_loop_destroy(byhand->loop);
}

int byhand_run(const struct options *options)
{
	struct byhand byhand = { .options = options, .in_hand = -1 };
	int fds[RESOLVE_MAX];
	if (!set_worker_address(&byhand))
		return EX_USAGE;
	byhand.loop = ev_default_loop(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!byhand.loop) {
		log_error("cannot start: the event loop cannot be made");
		return EX_OSERR;
	}
	start_signals(&byhand);
	byhand.n_listeners = byhand_listen(options, fds);
	if (byhand.n_listeners < 0) {
		ev_loop_destroy(byhand.loop);
		return EX_UNAVAILABLE;
	}
	start(&byhand, fds);
	struct confinement confinement;
	confine(CONFINE_ACCEPTOR_BY_HAND, &confinement);
	ev_run(byhand.loop, 0);
	finish(&byhand);
	return EX_OK;
}
