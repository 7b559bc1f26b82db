#include "admin/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const double HANGUP_LOOK_S = 1;

enum { INPUT_SIZE = CONNECTION_REQUEST_MAX + 1, INPUT_FIRST_SIZE = 1024 };

static size_t buffer_length(const struct connection_buffer *buffer)
{
	return buffer->end - buffer->start;
}

static void buffer_free(struct connection_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct connection_buffer){ 0 };
}

/* Drops bytes from the front; an empty buffer keeps no memory, since most clients are idle. */
static void buffer_drop(struct connection_buffer *buffer, size_t n)
{
	buffer->start += n;
	if (buffer->start == buffer->end)
		buffer_free(buffer);
}

/* Room for n more bytes at the end. */
static int buffer_reserve(struct connection_buffer *buffer, size_t n, size_t first_size)
{
	size_t length = buffer_length(buffer);
	if (buffer->size - buffer->end >= n)
		return 0;
	if (buffer->start) {
		memmove(buffer->bytes, buffer->bytes + buffer->start, length);
		buffer->start = 0;
		buffer->end = length;
	}
	if (buffer->size - length >= n)
		return 0;
	size_t size = buffer->size ? buffer->size : first_size;
	while (size < length + n)
		size *= 2;
	char *bytes = realloc(buffer->bytes, size);
	if (!bytes)
		return -ENOMEM;
	buffer->bytes = bytes;
	buffer->size = size;
	return 0;
}

/* Waits for what can be used now: input while there is room for it, output while there is any. */
static void connection_watch(struct connection *connection)
{
	int events = 0;
	/* Nothing else would tell that a client has gone which awaits an answer and said all it had. */
	if (connection->has_ended_input && connection->is_answering)
		ev_timer_again(connection->loop, &connection->hangup);
	else
		ev_timer_stop(connection->loop, &connection->hangup);
	if (!connection->has_ended_input && buffer_length(&connection->input) < INPUT_SIZE)
		events |= EV_READ;
	if (buffer_length(&connection->output))
		events |= EV_WRITE;
	if (ev_is_active(&connection->io) &&
		(connection->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(connection->loop, &connection->io);
	if (events) {
		ev_io_set(&connection->io, connection->io.fd, events);
		ev_io_start(connection->loop, &connection->io);
	}
}

static void connection_wake(struct connection *connection)
{
	ev_timer_start(connection->loop, &connection->wake);
}

static void connection_end(struct connection *connection, const char *reason)
{
	connection_fini(connection);
	connection->events->on_end(connection, reason);
}

/* Whether both directions are closed: the client has gone and nobody will read an answer. */
static bool is_hung_up(int fd)
{
	struct pollfd poll_fd = { .fd = fd };
	return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & (POLLHUP | POLLERR);
}

/*
 * recv(2) has no room for control data: the kernel closes descriptors that a client sends along,
 * and they never become ours. False: the connection is to be ended.
 */
static bool connection_receive(struct connection *connection)
{
	struct connection_buffer *input = &connection->input;
	size_t room = INPUT_SIZE - buffer_length(input);
	if (room > 16 * 1024)
		room = 16 * 1024;
	if (room == 0)
		return true;
	if (buffer_reserve(
		    input, room < INPUT_FIRST_SIZE ? room : INPUT_FIRST_SIZE, INPUT_FIRST_SIZE) < 0)
		return false;
	if (room > input->size - input->end)
		room = input->size - input->end;
	ssize_t n = recv(connection->io.fd, input->bytes + input->end, room, MSG_DONTWAIT);
	if (n > 0) {
		input->end += (size_t)n;
	} else if (n == 0) {
		/* What came before the end is still served: oneway requests, for one. */
		connection->has_ended_input = true;
		return buffer_length(input) || !is_hung_up(connection->io.fd);
	} else if (errno != EAGAIN && errno != EINTR) {
		return false;
	}
	return true;
}

static bool connection_flush(struct connection *connection)
{
	struct connection_buffer *output = &connection->output;
	ssize_t n = send(connection->io.fd, output->bytes + output->start, buffer_length(output),
		MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	buffer_drop(output, (size_t)n);
	if (!buffer_length(output)) {
		ev_timer_stop(connection->loop, &connection->patience);
		connection->events->on_sent(connection);
	}
	return true;
}

/* The NUL that ends the first request of the input, or NULL. No byte is looked at twice. */
static const char *find_end(struct connection *connection)
{
	const struct connection_buffer *input = &connection->input;
	size_t length = buffer_length(input);
	if (length == connection->n_scanned)
		return NULL;
	const char *end = memchr(input->bytes + input->start + connection->n_scanned, 0,
		length - connection->n_scanned);
	connection->n_scanned = end ? 0 : length;
	return end;
}

static void connection_wait_for_request(struct connection *connection)
{
	size_t length = buffer_length(&connection->input);
	if (connection->has_ended_input) {
		connection_end(connection, length ? "request without an end" : NULL);
	} else if (length >= INPUT_SIZE) {
		connection_end(connection, "request longer than 64 KiB");
	} else {
		buffer_drop(&connection->input, 0);
		connection_watch(connection);
	}
}

/* Hands on the next request, if there is a whole one. Must be the last thing that is done. */
static void connection_take_request(struct connection *connection)
{
	struct connection_buffer *input = &connection->input;
	const char *end = find_end(connection);
	if (!end) {
		connection_wait_for_request(connection);
		return;
	}
	/* The text stays where it is until more is received, which the loop alone does. */
	const char *text = input->bytes + input->start;
	input->start += (size_t)(end - text) + 1;
	connection->is_answering = true;
	connection_watch(connection);
	connection->events->on_request(connection, text, (size_t)(end - text));
}

static void connection_advance(struct connection *connection)
{
	if (connection->failure)
		connection_end(connection, connection->failure);
	else if (!connection_is_idle(connection))
		connection_watch(connection);
	else if (connection->is_last)
		connection_end(connection, NULL);
	else
		connection_take_request(connection);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	struct connection *connection = io->data;
	bool is_open = true;
	if (events & EV_READ && !connection->failure)
		is_open = connection_receive(connection);
	if (is_open && events & EV_WRITE && buffer_length(&connection->output))
		is_open = connection_flush(connection);
	if (is_open)
		connection_advance(connection);
	else
		connection_end(connection, NULL);
}

static void on_wake(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	connection_advance(timer->data);
}

static void on_patience_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	connection_end(timer->data, "does not read its answers");
}

static void on_hangup_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct connection *connection = timer->data;
	if (is_hung_up(connection->io.fd))
		connection_end(connection, NULL);
}

void connection_init(struct connection *connection, struct ev_loop *loop, int fd,
	const struct connection_events *events)
{
	*connection = (struct connection){ .events = events, .loop = loop };
	ev_io_init(&connection->io, on_io, fd, EV_READ);
	ev_timer_init(&connection->patience, on_patience_over, CONNECTION_PATIENCE_S, 0);
	ev_timer_init(&connection->wake, on_wake, 0, 0);
	ev_timer_init(&connection->hangup, on_hangup_look, 0, HANGUP_LOOK_S);
	connection->io.data = connection->patience.data = connection->wake.data = connection;
	connection->hangup.data = connection;
	connection_watch(connection);
}

void connection_fini(struct connection *connection)
{
	ev_io_stop(connection->loop, &connection->io);
	ev_timer_stop(connection->loop, &connection->patience);
	ev_timer_stop(connection->loop, &connection->wake);
	ev_timer_stop(connection->loop, &connection->hangup);
	close(connection->io.fd);
	buffer_free(&connection->input);
	buffer_free(&connection->output);
}

void connection_send(struct connection *connection, const char *bytes, size_t length)
{
	struct connection_buffer *output = &connection->output;
	if (connection->failure)
		return;
	if (length > CONNECTION_OUTPUT_MAX - buffer_length(output)) {
		connection_fail(connection, "more than 8 MiB unread");
		return;
	}
	if (buffer_reserve(output, length, length) < 0) {
		connection_fail(connection, "out of memory");
		return;
	}
	if (!buffer_length(output)) {
		/* The loop's idea of now is as old as whatever led to this answer. */
		ev_now_update(connection->loop);
		ev_timer_set(&connection->patience, CONNECTION_PATIENCE_S, 0);
		ev_timer_start(connection->loop, &connection->patience);
	}
	memcpy(output->bytes + output->end, bytes, length);
	output->end += length;
	connection_watch(connection);
}

void connection_carry_on(struct connection *connection, const char *input, size_t n_input,
	const char *output, size_t n_output, bool is_answering)
{
	if (n_input && buffer_reserve(&connection->input, n_input, INPUT_FIRST_SIZE) < 0) {
		connection_fail(connection, "out of memory");
		return;
	}
	if (n_input)
		memcpy(connection->input.bytes, input, n_input);
	connection->input.end = n_input;
	if (n_output)
		connection_send(connection, output, n_output);
	connection->is_answering = is_answering;
	connection_watch(connection);
	connection_wake(connection);
}

void connection_answered(struct connection *connection)
{
	connection->is_answering = false;
	connection_wake(connection);
}

void connection_fail(struct connection *connection, const char *reason)
{
	if (!connection->failure)
		connection->failure = reason;
	buffer_free(&connection->output);
	connection_wake(connection);
}

void connection_finish(struct connection *connection)
{
	connection->is_last = true;
	connection_wake(connection);
}

bool connection_is_idle(const struct connection *connection)
{
	return !connection->is_answering && !connection_unsent(connection);
}

size_t connection_unsent(const struct connection *connection)
{
	return buffer_length(&connection->output);
}
