#include "redirect/dial.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

static void end_attempt(struct dial *dial, struct dial_attempt *attempt)
{
	if (attempt->fd < 0)
		return;
	ev_io_stop(dial->loop, &attempt->io);
	fd_close(&attempt->fd);
	dial->n_open--;
}

void dial_stop(struct dial *dial)
{
	for (size_t i = 0; i < dial->n_begun; i++)
		end_attempt(dial, &dial->attempts[i]);
	ev_timer_stop(dial->loop, &dial->next);
}

static void go_on_in(struct dial *dial, unsigned ms)
{
	dial->next.repeat = ms ? ms / 1000. : 0.000001;
	ev_timer_again(dial->loop, &dial->next);
}

static bool is_passing(int error)
{
	return error == -EAGAIN || error == -EMFILE || error == -ENFILE || error == -ENOBUFS ||
	       error == -ENOMEM;
}

static void note_failure(struct dial *dial, size_t address, int error)
{
	dial->error = error;
	dial->failed = address;
	dial->is_short = is_passing(error);
}

/* 0: under way, or connected already; both show when the socket is writable. Or -errno. */
static int begin(struct dial *dial, struct dial_attempt *attempt)
{
	const struct address *address = &dial->addresses.list[attempt->address];
	int on = 1;
	fd_auto int fd =
		socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* What one side sent at once is passed on at once. A Unix socket has no such option. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, &address->any, address->size) < 0 && errno != EINPROGRESS)
		return -errno;
	attempt->fd = fd_take(&fd);
	ev_io_set(&attempt->io, attempt->fd, EV_WRITE);
	ev_io_start(dial->loop, &attempt->io);
	dial->n_open++;
	return 0;
}

/* Keeps the attempts going, or ends the dial when there is nothing left to try. */
static void go_on(struct dial *dial)
{
	while (dial->n_begun < dial->addresses.n) {
		struct dial_attempt *attempt = &dial->attempts[dial->n_begun];
		int r = begin(dial, attempt);
		if (r == 0) {
			dial->n_begun++;
			if (dial->n_begun < dial->addresses.n)
				go_on_in(dial, DIAL_STAGGER_MS);
			return;
		}
		note_failure(dial, attempt->address, r);
		if (dial->is_short) {
			go_on_in(dial, DIAL_RETRY_MS);
			return;
		}
		dial->n_begun++;
	}
	if (dial->n_open == 0)
		dial->on_done(dial, dial->error);
}

static void on_next(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)events;
	ev_timer_stop(loop, timer);
	go_on(timer->data);
}

static void succeed(struct dial *dial, struct dial_attempt *attempt)
{
	ev_io_stop(dial->loop, &attempt->io);
	int fd = fd_take(&attempt->fd);
	dial->n_open--;
	dial_stop(dial);
	dial->on_done(dial, fd);
}

static void on_connected(struct ev_loop *loop, ev_io *io, int events)
{
	(void)events;
	struct dial *dial = io->data;
	struct dial_attempt *attempt = (struct dial_attempt *)io;
	int error = 0;
	socklen_t size = sizeof error;
	if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (!error) {
		succeed(dial, attempt);
		return;
	}
	note_failure(dial, attempt->address, -error);
	end_attempt(dial, attempt);
	ev_timer_stop(loop, &dial->next);
	go_on(dial);
}

void dial_start(struct dial *dial, struct ev_loop *loop, const struct addresses *addresses,
	void (*on_done)(struct dial *dial, int result), void *data)
{
	*dial = (struct dial){
		.loop = loop,
		.on_done = on_done,
		.data = data,
		.addresses = *addresses,
	};
	for (size_t i = 0; i < ADDRESSES_MAX; i++) {
		struct dial_attempt *attempt = &dial->attempts[i];
		attempt->fd = -1;
		attempt->address = i;
		ev_init(&attempt->io, on_connected);
		attempt->io.data = dial;
	}
	ev_init(&dial->next, on_next);
	dial->next.data = dial;
	/* From the loop, so that on_done is never called in here. */
	go_on_in(dial, 0);
}
