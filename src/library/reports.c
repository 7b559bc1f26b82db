/*
 * Reports to the acceptor: sent at once, kept while the queue is full, and then sent together.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "fdsup/worker.h"
#include "library/channel.h"
#include "library/connection.h"

enum { LAST_WAIT_MS = 1000, STEP_MS = 10 };

static bool is_full(int error)
{
	return error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM;
}

/* The program calls fdsup_take when the set is readable, and that sends what was kept. */
static void watch_for_room(struct fdsup_channel *channel)
{
	bool is_wanted = channel->n_reports > 0;
	if (is_wanted == channel->waits_for_room)
		return;
	if (channel_watch(channel, channel->queue_fd, EPOLLIN | (is_wanted ? EPOLLOUT : 0)) == 0)
		channel->waits_for_room = is_wanted;
}

void channel_flush(struct fdsup_channel *channel)
{
	if (channel->n_reports == 0)
		return;
	size_t n_done = 0;
	while (n_done < channel->n_reports) {
		size_t n = channel->n_reports - n_done;
		if (n > REPORTS_PER_MESSAGE)
			n = REPORTS_PER_MESSAGE;
		int r = report_send(channel->queue_fd, channel->reports + n_done, n);
		if (is_full(r))
			break;
		/* With nobody left to read them they are of no use. */
		n_done = r < 0 ? channel->n_reports : n_done + n;
	}
	channel->n_reports -= n_done;
	memmove(channel->reports, channel->reports + n_done,
		channel->n_reports * sizeof *channel->reports);
	watch_for_room(channel);
}

/* The last chance: an acceptor that is busy for a moment is waited for, one that hangs is not. */
void channel_flush_all(struct fdsup_channel *channel)
{
	channel_flush(channel);
	for (int waited_ms = 0; channel->n_reports && waited_ms < LAST_WAIT_MS; waited_ms += STEP_MS) {
		struct pollfd room = { .fd = channel->queue_fd, .events = POLLOUT };
		/* Room is announced late (unix(7) waits for three quarters): try now and then. */
		poll(&room, 1, STEP_MS);
		channel_flush(channel);
	}
}

static int keep(struct fdsup_channel *channel, const struct report *report)
{
	if (!channel->reports)
		channel->reports = calloc(CHANNEL_REPORTS_MAX, sizeof *channel->reports);
	if (!channel->reports || channel->n_reports == CHANNEL_REPORTS_MAX)
		return -ENOBUFS;
	channel->reports[channel->n_reports++] = *report;
	watch_for_room(channel);
	return 0;
}

static int tell(struct fdsup_channel *channel, struct report *report)
{
	if (channel->queue_fd < 0)
		return 0;
	report->version = REPORT_VERSION;
	report->length = sizeof *report;
	channel_flush(channel);
	if (channel->n_reports > 0)
		return keep(channel, report);
	int r = report_send(channel->queue_fd, report, 1);
	return is_full(r) ? keep(channel, report) : r;
}

static struct report report_on(enum report_kind kind, const struct fdsup_connection *connection)
{
	return (struct report){
		.kind = (uint8_t)kind,
		.connection = connection->id,
		.accepted_ns = connection->accepted_ns,
		.peer = connection_peer(connection),
		.local = connection_local(connection),
	};
}

int fdsup_taken(struct fdsup_channel *channel, const struct fdsup_connection *connection)
{
	struct report report = report_on(REPORT_TAKEN, connection);
	channel_begin(channel, connection->id);
	return tell(channel, &report);
}

int fdsup_finished(struct fdsup_channel *channel, const struct fdsup_connection *connection,
	const struct fdsup_result *result)
{
	struct report report = report_on(REPORT_ENDED, connection);
	report.pid = channel->owner;
	report.duration_us = (clock_now_ns() - connection->taken_ns) / 1000;
	if (result) {
		/* As wait(2) gives the exit status of a process. */
		report.status = (result->status & 0xff) << 8;
		report.bytes_in = result->bytes_in;
		report.bytes_out = result->bytes_out;
	}
	return tell(channel, &report);
}

int fdsup_slots(struct fdsup_channel *channel, unsigned n_free)
{
	struct report report = {
		.kind = REPORT_SLOTS,
		.status = n_free < INT32_MAX ? (int32_t)n_free : INT32_MAX,
	};
	return tell(channel, &report);
}
