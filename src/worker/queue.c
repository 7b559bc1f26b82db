#include "worker/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"

static void queue_watch(struct source *source, bool for_connections, bool for_reports)
{
	struct queue *queue = (struct queue *)source;
	struct pollfd *polled = &queue->polled[1];
	polled->events = (short)((for_connections ? POLLIN : 0) | (for_reports ? POLLOUT : 0));
	/* A queue whose other end is gone is always ready: not asking must mean not polling. */
	polled->fd = polled->events && !queue->is_gone ? queue->fd : -1;
	polled->revents = 0;
}

static void say_bad(struct queue *queue)
{
	if (!queue->is_bad)
		log_warning("a message on the queue was no connection and was dropped: a sender "
			    "owes one record with one descriptor (fdsup-protocol(7))");
	queue->is_bad = true;
}

static int queue_take(struct source *source, struct handoff *ret_record, int *ret_connection)
{
	struct queue *queue = (struct queue *)source;
	if (queue->is_gone || queue->is_retired)
		return 0;
	if (!(queue->polled[1].revents & ~POLLOUT))
		return -EAGAIN;
	int r = handoff_receive(queue->fd, ret_record, ret_connection);
	if (r == 1) {
		queue->is_bad = false;
	} else if (r == -EAGAIN) {
		queue->polled[1].revents = 0;
	} else if (r == 0 || r == -EPIPE) {
		queue->is_gone = true;
		return 0;
	} else if (r == -EBADMSG) {
		say_bad(queue);
		return -EAGAIN;
	}
	return r;
}

static int queue_tell(struct source *source, const struct report reports[], size_t n)
{
	struct queue *queue = (struct queue *)source;
	return queue->is_gone ? -EPIPE : report_send(queue->fd, reports, n);
}

/* The other workers go on taking. Reports can still be sent. */
static void queue_retire(struct source *source)
{
	((struct queue *)source)->is_retired = true;
}

static void queue_close(struct source *source)
{
	struct queue *queue = (struct queue *)source;
	fd_close(&queue->fd);
}

int queue_open(struct queue *queue, int fd)
{
	static const struct source_methods methods = {
		.watch = queue_watch,
		.take = queue_take,
		.tell = queue_tell,
		.retire = queue_retire,
		.close = queue_close,
	};
	int r = handoff_queue_check(fd);
	if (r < 0)
		return r;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	*queue = (struct queue){ .source = { .methods = &methods, .n_polled = 2 }, .fd = fd };
	queue->source.polled = queue->polled;
	return 0;
}
