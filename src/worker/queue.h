/*
 * The queue as a source of connections: the workers' end of the supervisor's socket pair, shared by
 * all workers of the service. What this worker does not take stays there for another.
 */
#ifndef FDSUP_WORKER_QUEUE_H
#define FDSUP_WORKER_QUEUE_H

#include "worker/source.h"

struct queue {
	struct source source;
	struct pollfd polled[2]; /* the loop's, and the queue */
	int fd;                  /* owned */
	bool is_gone;            /* nobody is left at the other end */
	bool is_retired;         /* we take no more */
	bool is_bad;             /* the last message was none of ours, and that has been said */
};

/*
 * Makes an inherited descriptor a source, and close-on-exec. 0; -EBADF; -ENOTSOCK; -EPROTOTYPE: a
 * socket, but no queue.
 */
int queue_open(struct queue *queue, int fd);

#endif
