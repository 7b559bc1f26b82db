#include "acceptor/bequest.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "acceptor/traces.h"
#include "base/clock.h"
#include "base/fd.h"
#include "policy/estate.h"
#include "wire/descriptor.h"

enum { FIRST_FD = 3, ROOM_POLL_MS = 10 };

/* 0; -EBADF: the number is free; other -errno: it is no socket. */
static int read_id(int fd, uint64_t *ret_id)
{
	socklen_t size = sizeof *ret_id;
	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, ret_id, &size) < 0 ? -errno : 0;
}

static struct estate_find look_at(struct traces *traces, int fd, uint64_t id)
{
	const struct trace *trace = traces_at(traces, fd);
	bool is_of_it = trace && trace->id == id;
	return (struct estate_find){
		.state = is_of_it ? (enum estate_state)atomic_load(&trace->state) : ESTATE_UNKNOWN,
		.is_taking = atomic_load(&traces->taking) != 0,
	};
}

static void write_down(struct traces *traces, int fd, uint64_t id)
{
	uint64_t taking = atomic_load(&traces->taking);
	const struct trace last = {
		.id = id,
		.accepted_ns = clock_now_ns(),
		.service = (uint16_t)(taking - 1),
		.name = (uint32_t)(taking >> 32),
		.state = ESTATE_ARRIVED,
		.is_uncounted = true,
	};
	traces_begin(traces, fd, &last);
}

/* The kernel gives the lowest number that is free: what came last lies below the first gap. */
void bequest_find_last(struct traces *traces)
{
	uint64_t id = 0;
	int r = 0;
	for (int fd = FIRST_FD; r != -EBADF; fd++) {
		r = read_id(fd, &id);
		if (r < 0)
			continue;
		bool is_suspect;
		struct estate_find find = look_at(traces, fd, id);
		find.is_connection = find.state == ESTATE_UNKNOWN &&
				     fd_socket_option(fd, SO_TYPE) == SOCK_STREAM &&
				     fd_socket_option(fd, SO_ACCEPTCONN) == 0;
		if (find.is_connection && estate_of_find(&find, &is_suspect) == ESTATE_ARRIVED)
			write_down(traces, fd, id);
	}
}

/* ESTATE_UNKNOWN: it is not to be left. */
static enum estate_state state_to_leave(
	struct traces *traces, int fd, uint64_t *ret_id, bool *ret_is_suspect)
{
	struct trace *trace = traces_at(traces, fd);
	if (!trace || !atomic_load(&trace->state) || read_id(fd, ret_id) < 0)
		return ESTATE_UNKNOWN;
	struct estate_find find = look_at(traces, fd, *ret_id);
	return estate_of_find(&find, ret_is_suspect);
}

void bequest_close_others(struct traces *traces)
{
	int out = atomic_load(&traces->out);
	unsigned n = atomic_load(&traces->n);
	for (int fd = 0; fd < (int)n; fd++) {
		uint64_t id;
		bool is_suspect;
		if (fd != out && !state_to_leave(traces, fd, &id, &is_suspect))
			close(fd);
	}
#ifdef SYS_close_range
	if (out >= (int)n) {
		syscall(SYS_close_range, n, out - 1, 0);
		n = (unsigned)out + 1;
	}
	syscall(SYS_close_range, n, ~0U, 0);
#endif
}

/* 0 or -errno; -EAGAIN: it is not read in time. */
static int send_patiently(
	int out, const struct estate_message *message, int fd, uint64_t end_ms, bool *has_waited,
	struct traces *traces)
{
	int r;
	while ((r = descriptor_send(out, message, sizeof *message, &fd, fd >= 0)) == -EAGAIN ||
		r == -ETOOMANYREFS || r == -ENOBUFS) {
		struct pollfd room = { .fd = out, .events = POLLOUT };
		if (clock_now_ms() >= end_ms)
			return -EAGAIN;
		if (!*has_waited)
			bequest_close_others(traces);
		*has_waited = true;
		poll(&room, 1, ROOM_POLL_MS);
	}
	return r;
}

static struct estate_message describe(
	const struct trace *trace, enum estate_state state, bool is_suspect)
{
	return (struct estate_message){
		.kind = ESTATE_CONNECTION,
		.version = ESTATE_VERSION,
		.id = trace->id,
		.accepted_ns = trace->accepted_ns,
		.service = trace->service,
		.name = trace->name,
		.order = trace->order,
		.slot = trace->slot,
		.state = (uint8_t)state,
		.n_acceptors = (uint8_t)(trace->n_acceptors + is_suspect),
		.n_workers = trace->n_workers,
		.is_uncounted = trace->is_uncounted,
	};
}

/*
 * What comes next of the estate before ours. The acceptor may have it already: it takes the message
 * from there when it has written it down. 0: there is none.
 */
static uint64_t next_id(int in)
{
	struct estate_message message;
	ssize_t n = in < 0 ? -1 : recv(in, &message, sizeof message, MSG_PEEK | MSG_DONTWAIT);
	return n == sizeof message && message.kind == ESTATE_CONNECTION ? message.id : 0;
}

/* As long as we could read what we write nobody would tell us that nobody else does. */
static uint64_t stop_inheriting(struct traces *traces)
{
	int in = atomic_exchange(&traces->in, -1);
	uint64_t id = next_id(in);
	fd_close(&in);
	return id;
}

int bequest_leave(struct traces *traces, unsigned patience_ms)
{
	static const struct estate_message end = { .kind = ESTATE_END, .version = ESTATE_VERSION };
	int out = atomic_load(&traces->out);
	uint64_t end_ms = clock_now_ms() + patience_ms;
	bool has_waited = false;
	uint64_t next = stop_inheriting(traces);
	if (out < 0)
		return -EPIPE;
	for (int fd = FIRST_FD; fd < (int)atomic_load(&traces->n); fd++) {
		uint64_t id;
		bool is_suspect;
		enum estate_state state = state_to_leave(traces, fd, &id, &is_suspect);
		if (state == ESTATE_UNKNOWN || id == next)
			continue;
		const struct estate_message message = describe(traces_at(traces, fd), state, is_suspect);
		int r = send_patiently(out, &message, fd, end_ms, &has_waited, traces);
		if (r < 0)
			return r;
		traces_set(traces, fd, ESTATE_OVER);
	}
	return send_patiently(out, &end, -1, end_ms, &has_waited, traces);
}

bool bequest_has_left(struct traces *traces, int fd)
{
	struct trace *trace = traces_at(traces, fd);
	return trace && atomic_load(&trace->state) == ESTATE_OVER;
}
