/*
 * The guard: a second process that has the acceptor's descriptors, for the moment in which the acceptor
 * dies.
 *
 * It shares the table of descriptors (clone(2), CLONE_FILES), and of memory only the traces, so nothing
 * that an acceptor is killed for, or that is broken in its memory, reaches it. It sleeps; when the
 * acceptor has gone without a farewell it leaves what that one had (bequest.h) and is gone, too. It is
 * the acceptor's child: whoever starts an acceptor has nothing to do with it.
 */
#ifndef FDSUP_ACCEPTOR_GUARD_H
#define FDSUP_ACCEPTOR_GUARD_H

#include <sys/types.h>

struct traces;

struct guard {
	struct traces *traces; /* NULL: there is no guard */
	int own_fd;            /* owned: a pidfd of the acceptor, which the guard watches, */
	int farewell_fd;       /* owned: and an eventfd, written to when nothing is to be done any more */
	int pidfd;             /* owned: of the guard */
	int error;             /* why there is none: -errno; 0: on purpose, if there is none */
};

#define GUARD_INIT { .own_fd = -1, .farewell_fd = -1, .pidfd = -1 }

/*
 * To be called before anything takes memory: what this process writes to later, it and the guard have
 * twice. Where it fails the acceptor goes on without.
 */
void guard_start(struct guard *guard);

/* Ends it and waits until it has ended: nothing has to be left, or all has been. */
void guard_end(struct guard *guard);

#endif
