#include "redirect/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection that is always ready gives way to the others after so many pipes. */
enum { PIPES_IN_A_ROW = 8 };

enum { COPY_SIZE = 16384 };

static bool is_passing(int error)
{
	return error == EAGAIN || error == EINTR || error == ENOMEM || error == ENOBUFS;
}

/* From now on: the end of the source is the end of the destination. */
static void pass_end(struct flow *flow, int to)
{
	shutdown(to, SHUT_WR);
	flow->state = FLOW_ENDED;
}

/* EINVAL: a kind of socket from which splice(2) cannot read; recv(2) decides. */
static void fail_to_read(struct flow *flow)
{
	flow->state = is_passing(errno) || errno == EINVAL ? FLOW_READING : FLOW_RESET;
}

static void fail_to_write(struct flow *flow)
{
	flow->state = is_passing(errno) ? FLOW_WRITING : FLOW_STUCK;
}

/*
 * The way without a pipe, when there is none to be had and where splice(2) sees nothing: it stops
 * for good before a byte of urgent data, which recv(2) goes over. Only what was sent is taken out
 * of the source, so that nothing is ever kept here.
 */
static bool copy(struct flow *flow, int from, int to)
{
	char bytes[COPY_SIZE];
	ssize_t n = recv(from, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0) {
		fail_to_read(flow);
		return false;
	}
	if (n == 0) {
		pass_end(flow, to);
		return true;
	}
	ssize_t sent = send(to, bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent <= 0) {
		fail_to_write(flow);
		return false;
	}
	n = recv(from, bytes, (size_t)sent, MSG_DONTWAIT);
	flow->n_read += (uint64_t)(n > 0 ? n : 0);
	flow->n_written += (uint64_t)sent;
	flow->state = FLOW_READING;
	return true;
}

/* Whether bytes are in the pipe now, or the end has come. */
static bool fill(struct flow *flow, int from, int to)
{
	ssize_t n = splice(
		from, NULL, flow->pipe.in, NULL, PIPE_SIZE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0) {
		fail_to_read(flow);
		return false;
	}
	if (n == 0) {
		pass_end(flow, to);
		return true;
	}
	flow->n_in_pipe = (size_t)n;
	flow->n_read += (uint64_t)n;
	return true;
}

/* Whether any byte could be written. */
static bool empty(struct flow *flow, int to)
{
	bool is_moved = false;
	while (flow->n_in_pipe > 0) {
		ssize_t n = splice(flow->pipe.out, NULL, to, NULL, flow->n_in_pipe,
			SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n <= 0) {
			fail_to_write(flow);
			return is_moved;
		}
		flow->n_in_pipe -= (size_t)n;
		flow->n_written += (uint64_t)n;
		is_moved = true;
	}
	flow->state = FLOW_READING;
	return is_moved;
}

static bool is_moving(const struct flow *flow)
{
	return flow->state == FLOW_READING || flow->state == FLOW_WRITING;
}

static bool move_by_pipe(struct flow *flow, int from, int to)
{
	bool is_moved = false;
	for (int i = 0; i < PIPES_IN_A_ROW && is_moving(flow); i++) {
		if (flow->n_in_pipe == 0 && !fill(flow, from, to))
			break;
		is_moved = true;
		if (flow->n_in_pipe > 0)
			empty(flow, to);
		if (flow->n_in_pipe > 0)
			break;
	}
	return is_moved;
}

bool flow_move(struct flow *flow, int from, int to, struct pipes *pipes)
{
	bool is_moved = false;
	if (!is_moving(flow))
		return false;
	if (flow->n_in_pipe > 0)
		is_moved = empty(flow, to);
	if (flow->n_in_pipe == 0 && is_moving(flow)) {
		if (flow->pipe.out < 0)
			flow->pipe = pipes_borrow(pipes);
		if (flow->pipe.out >= 0)
			is_moved |= move_by_pipe(flow, from, to);
		if (flow->pipe.out < 0 || (!is_moved && flow->state == FLOW_READING))
			is_moved = copy(flow, from, to);
	}
	if (flow->n_in_pipe == 0)
		pipes_give_back(pipes, &flow->pipe);
	return is_moved;
}

void flow_fini(struct flow *flow, struct pipes *pipes)
{
	if (flow->n_in_pipe > 0)
		pipes_discard(pipes, &flow->pipe);
	else
		pipes_give_back(pipes, &flow->pipe);
	flow->n_in_pipe = 0;
}
