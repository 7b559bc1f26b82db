/*
 * Our child processes: each has one owner, which is told when it ends. What is nobody's is an orphan:
 * a command whose worker died before it (we are its subreaper).
 */
#ifndef FDSUP_SUPERVISOR_CHILDREN_H
#define FDSUP_SUPERVISOR_CHILDREN_H

#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <ev.h>

struct child {
	struct child *next; /* list: of one bucket of the table */
	pid_t pid;          /* 0: not running */
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

/* The owner waits for it itself. */
void children_remove(struct children *children, struct child *child);

#endif
