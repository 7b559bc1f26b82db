/*
 * Reports on their way to the acceptor, in order and without ever waiting for it.
 *
 * What the queue does not take stays here until it does. An acceptor that reads nothing for long
 * costs a bounded amount of memory: reports beyond that are dropped, counted and said once.
 */
#ifndef FDSUP_TAKER_OUTBOX_H
#define FDSUP_TAKER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/report.h"

enum { OUTBOX_MAX = 4096 };

struct outbox {
	int queue;              /* not owned; -1: nobody listens */
	struct report *reports; /* a ring */
	size_t capacity;        /* a power of two, or 0 */
	size_t first;
	size_t n;
	size_t n_dropped; /* of the episode */
	bool is_full;     /* the queue took no more: flush again when it is writable */
};

void outbox_init(struct outbox *outbox, int queue);

/* Drops what was not sent. */
void outbox_fini(struct outbox *outbox);

void outbox_add(struct outbox *outbox, const struct report *report);

/* Sends as much as the queue takes. */
void outbox_flush(struct outbox *outbox);

#endif
