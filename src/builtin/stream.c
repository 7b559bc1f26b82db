#include "builtin/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

enum { BUFFER_SIZE = 16384 };

/* One that is always ready gives way to the others after so many buffers. */
enum { BUFFERS_IN_A_ROW = 4 };

/* How long a client may take to close after it was answered: closing first could cut the answer. */
enum { LINGER_MS = 5000 };

/* Lent to whichever connection is served now. */
static char buffer[BUFFER_SIZE];

void stream_end(struct stream *stream, int status)
{
	struct taker *taker = &stream->builtin->taker;
	const struct ending ending = {
		.status = status,
		.bytes_in = stream->n_in,
		.bytes_out = stream->n_out,
	};
	ev_io_stop(taker->loop, &stream->io);
	ev_timer_stop(taker->loop, &stream->deadline);
	parting_add(&taker->parting, &stream->fd);
	taker_ended(taker, &stream->taken, &ending);
	free(stream->kept);
	free(stream);
}

static void watch(struct stream *stream, int events)
{
	struct ev_loop *loop = stream->builtin->taker.loop;
	if (ev_is_active(&stream->io) && stream->io.events == events)
		return;
	ev_io_stop(loop, &stream->io);
	ev_io_set(&stream->io, stream->fd, events);
	ev_io_start(loop, &stream->io);
}

/* Bytes moved; 0: the client's end; -EAGAIN: nothing now; -ECONNRESET: it is over. */
static ssize_t moved(struct stream *stream, ssize_t n)
{
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -ECONNRESET;
	if (n > 0)
		stream->active_ms = clock_now_ms();
	return n;
}

/* With MSG_TRUNC, TCP throws away what it received without copying it: tcp(7). */
static ssize_t receive(struct stream *stream, int flags)
{
	ssize_t n = moved(stream, recv(stream->fd, buffer, sizeof buffer, MSG_DONTWAIT | flags));
	if (n > 0)
		stream->n_in += (uint64_t)n;
	return n;
}

static ssize_t send_some(struct stream *stream, const char *bytes, size_t size)
{
	ssize_t n = moved(stream, send(stream->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL));
	if (n > 0)
		stream->n_out += (uint64_t)n;
	return n;
}

/* ---- the services: each does what can be done now, and says whether it goes on -------------- */

/* RFC 863: "throws away any data received". Also what is left to do once all is said. */
static bool discard(struct stream *stream)
{
	for (int i = 0; i < BUFFERS_IN_A_ROW; i++) {
		ssize_t n = receive(stream, MSG_TRUNC);
		if (n == 0 || n == -ECONNRESET)
			return false;
		if (n < 0)
			break;
	}
	watch(stream, EV_READ);
	return true;
}

/* False: the client is gone. */
static bool send_kept(struct stream *stream)
{
	while (stream->kept_n > 0) {
		ssize_t n = send_some(stream, stream->kept + stream->kept_first, stream->kept_n);
		if (n < 0)
			return n == -EAGAIN;
		stream->kept_first += (size_t)n;
		stream->kept_n -= (size_t)n;
	}
	free(stream->kept);
	stream->kept = NULL;
	return true;
}

/* Sends what was received; keeps what does not go. False: the client is gone. */
static bool send_back(struct stream *stream, size_t size)
{
	size_t n_sent = 0;
	while (n_sent < size) {
		ssize_t n = send_some(stream, buffer + n_sent, size - n_sent);
		if (n == -EAGAIN)
			break;
		if (n < 0)
			return false;
		n_sent += (size_t)n;
	}
	if (n_sent == size)
		return true;
	stream->kept_first = 0;
	stream->kept_n = size - n_sent;
	stream->kept = malloc(stream->kept_n);
	if (!stream->kept)
		return false;
	memcpy(stream->kept, buffer + n_sent, stream->kept_n);
	return true;
}

/* RFC 862: "any data received is sent back", until the client ends. */
static bool echo(struct stream *stream)
{
	for (int i = 0; i < BUFFERS_IN_A_ROW; i++) {
		if (!send_kept(stream))
			return false;
		if (stream->kept_n > 0)
			break;
		if (stream->is_ended_by_client)
			return false;
		ssize_t n = receive(stream, 0);
		if (n == -EAGAIN)
			break;
		if (n < 0)
			return false;
		stream->is_ended_by_client = n == 0;
		if (!send_back(stream, (size_t)n))
			return false;
	}
	watch(stream, stream->kept_n > 0 ? EV_WRITE : EV_READ);
	return true;
}

/*
 * RFC 864: "a stream of data is sent out the connection (and any data received is thrown away)
 * until the calling user terminates the connection". A client that only ends its own direction goes
 * on receiving; one that has closed answers with a reset.
 */
static bool chargen(struct stream *stream)
{
	/* Twice the period: a whole one begins at every position. Made when it is first needed. */
	static char pattern[2 * CHARGEN_PERIOD];
	if (!pattern[0])
		chargen_fill(pattern, sizeof pattern, 0);
	ssize_t n = stream->is_ended_by_client ? -EAGAIN : receive(stream, MSG_TRUNC);
	if (n == -ECONNRESET)
		return false;
	stream->is_ended_by_client |= n == 0;
	for (int i = 0; i < BUFFERS_IN_A_ROW; i++) {
		n = send_some(stream, pattern + stream->chargen_position, CHARGEN_PERIOD);
		if (n == -EAGAIN)
			break;
		if (n < 0)
			return false;
		stream->chargen_position =
			(stream->chargen_position + (unsigned)n) % CHARGEN_PERIOD;
	}
	watch(stream, stream->is_ended_by_client ? EV_WRITE : EV_READ | EV_WRITE);
	return true;
}

/* RFC 867, RFC 868: the answer, then the server closes. It fits any socket that is new. */
static bool say_once(struct stream *stream)
{
	char bytes[PROTOCOL_ANSWER_MAX];
	size_t size = protocol_answer(stream->builtin->options->protocol, time(NULL), bytes);
	if (send_some(stream, bytes, size) < 0)
		return false;
	shutdown(stream->fd, SHUT_WR);
	stream->is_answered = true;
	return discard(stream);
}

static bool go_on(struct stream *stream)
{
	if (stream->is_answered)
		return discard(stream);
	switch (stream->builtin->options->protocol) {
	case PROTOCOL_ECHO:
		return echo(stream);
	case PROTOCOL_DISCARD:
		return discard(stream);
	case PROTOCOL_CHARGEN:
		return chargen(stream);
	case PROTOCOL_DAYTIME:
	case PROTOCOL_TIME:
		break;
	}
	return say_once(stream);
}

/* ---- the loop's calls ------------------------------------------------------------------------ */

static void on_ready(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop, (void)events;
	struct stream *stream = io->data;
	if (!go_on(stream))
		stream_end(stream, 0);
}

static uint64_t timeout_ms_of(const struct stream *stream)
{
	uint64_t timeout_ms = stream->builtin->options->common.idle_timeout_ms;
	if (stream->is_answered && (timeout_ms == 0 || timeout_ms > LINGER_MS))
		return LINGER_MS;
	return timeout_ms;
}

/* The timer is not set anew for each byte: it looks how long ago the last one was. */
static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)events;
	struct stream *stream = timer->data;
	uint64_t timeout_ms = timeout_ms_of(stream);
	uint64_t idle_ms = clock_now_ms() - stream->active_ms;
	if (idle_ms >= timeout_ms || stream->is_answered) {
		log_info("a connection was idle for %llu ms: closed",
			(unsigned long long)timeout_ms);
		stream_end(stream, 0);
		return;
	}
	timer->repeat = (double)(timeout_ms - idle_ms) / 1000;
	ev_timer_again(loop, timer);
}

static void init(struct stream *stream, struct builtin *builtin, int fd)
{
	stream->builtin = builtin;
	stream->fd = fd;
	stream->active_ms = clock_now_ms();
	ev_init(&stream->io, on_ready);
	ev_init(&stream->deadline, on_deadline);
	stream->io.data = stream->deadline.data = stream;
}

void stream_start(
	struct stream *stream, struct builtin *builtin, const struct handoff *record, int fd)
{
	init(stream, builtin, fd);
	taker_took(&builtin->taker, &stream->taken, record);
	if (!go_on(stream)) {
		stream_end(stream, 0);
		return;
	}
	uint64_t timeout_ms = timeout_ms_of(stream);
	if (timeout_ms) {
		stream->deadline.repeat = (double)timeout_ms / 1000;
		ev_timer_again(builtin->taker.loop, &stream->deadline);
	}
}
