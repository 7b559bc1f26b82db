/*
 * The commands that are running, and those that have ended while the acceptor does not know yet.
 *
 * A child is in the table as long as its process exists, and on the list of reports.h as long as
 * something about it is to be told.
 */
#ifndef FDSUP_WORKER_CHILDREN_H
#define FDSUP_WORKER_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/report.h"

struct child {
	struct child *next_in_bucket;
	struct child *next_untold; /* list: of struct reports */
	struct report report;      /* about its end, once it has ended; until then what is known */
	uint64_t started_ns;
	bool is_running;
	bool is_listed;  /* on the list of struct reports */
	bool owes_start; /* REPORT_STARTED is to be sent */
	bool has_told_start; /* it was before */
	bool owes_end;   /* so is report */
};

struct children {
	struct child **buckets; /* by pid; a power of two of them */
	size_t n_buckets;
	size_t n;
};

/* 0 or -ENOMEM. */
int children_init(struct children *children);

/* Frees the children in the table. */
void children_fini(struct children *children);

void children_add(struct children *children, struct child *child);

/* Takes the child with this process out of the table; NULL: not ours. */
struct child *children_take(struct children *children, pid_t pid);

/* Calls back for each; the table must not change meanwhile. */
void children_each(const struct children *children, void (*visit)(struct child *child, void *data),
	void *data);

#endif
