/*
 * What the acceptor is still to be told, in order and without ever waiting for it.
 *
 * The children themselves are the buffer: each knows what was not yet said of it. Reports gather
 * until a message is full or the loop is about to wait. A full socket only means that they stay.
 */
#ifndef FDSUP_WORKER_REPORTS_H
#define FDSUP_WORKER_REPORTS_H

#include "worker/children.h"
#include "worker/source.h"

/* Ended commands of which nobody reads: the reports of more are dropped, and counted. */
enum { REPORTS_ENDED_MAX = 4096 };

struct reports {
	struct source *source;
	struct child *first; /* with something to tell, oldest first */
	struct child *last;
	size_t n_ended;   /* of those, ended: they live on only for this list */
	size_t n_dropped; /* of the episode */
	size_t n_batch;   /* the message that is to be sent next */
	struct report batch[REPORTS_PER_MESSAGE];
	bool is_full; /* the socket took no more: wait for room */
};

void reports_init(struct reports *reports, struct source *source);

/* Drops what was not sent. Call before children_fini. */
void reports_fini(struct reports *reports);

/* To be told that the command started (again, for a new acceptor). The child is in the table. */
void reports_started(struct reports *reports, struct child *child);

/* To be told what child->report says. Takes the child, which is in the table no more. */
void reports_ended(struct reports *reports, struct child *child);

/* Sends as much as the socket takes. */
void reports_flush(struct reports *reports);

#endif
