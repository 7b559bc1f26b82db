/*
 * Our processes: each has one owner, which is told when it ends. What is nobody's is an orphan: a
 * command whose worker died before it (we are its subreaper).
 *
 * A process that a supervisor before us started is not our child: its end is told by a descriptor of
 * it (pidfd_open(2)), and how it ended by Linux from 6.15 on; else that stays unknown.
 */
#ifndef FDSUP_SUPERVISOR_CHILDREN_H
#define FDSUP_SUPERVISOR_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <ev.h>

struct children;

struct child {
	struct child *next; /* list: of one bucket of the table */
	pid_t pid;          /* 0: not running */
	int pidfd;          /* owned; -1: none. Meaningful while it is in the table */
	bool is_adopted;    /* not our child */
	unsigned n_looks;   /* of an adopted one that has ended: for its status */
	ev_io ended;        /* of an adopted one */
	ev_timer look;
	struct children *children;
	void (*on_exit)(struct child *child, int status, const struct rusage *usage);
};

enum { CHILDREN_BUCKETS = 256 };

struct children {
	struct ev_loop *loop;
	ev_signal signal;
	struct child *buckets[CHILDREN_BUCKETS];
	void (*on_orphan)(void *context, pid_t pid, int status, const struct rusage *usage);
	void *context;
};

/*
 * Becomes the subreaper of all descendants and watches SIGCHLD. The loop must not be libev's default
 * loop, which would reap behind our back.
 */
void children_init(struct children *children, struct ev_loop *loop);
void children_fini(struct children *children);

/* The child stays the owner's storage; it must live until on_exit was called. */
void children_add(struct children *children, struct child *child);

/* The same, and opens the pidfd by which a supervisor after us can watch it. */
void children_add_lasting(struct children *children, struct child *child);

/* One of before, with `pid`, `pidfd` and `is_adopted` as they were saved. */
void children_resume(struct children *children, struct child *child);

/* The owner waits for it itself. */
void children_remove(struct children *children, struct child *child);

#endif
