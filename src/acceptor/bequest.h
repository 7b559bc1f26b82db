/*
 * Leaves to the next acceptor what this one has: by itself when it ends, by its guard when it died.
 */
#ifndef FDSUP_ACCEPTOR_BEQUEST_H
#define FDSUP_ACCEPTOR_BEQUEST_H

#include <stdbool.h>

struct traces;

/*
 * Finds the one connection that was taken from the kernel and not written down yet, and writes it down.
 * Only for who knows that the acceptor is dead.
 */
void bequest_find_last(struct traces *traces);

/*
 * Sends all that is to be left, and then ESTATE_END. Each one that was sent is written down as over; its
 * descriptor stays open. Where the next acceptor does not read, waits so long for it in all. Before, it
 * closes the way by which the estate of others came, and takes its descriptor.
 * 0 or -errno: -EAGAIN: not all has been sent; -EPIPE: nobody will ever read.
 */
int bequest_leave(struct traces *traces, unsigned patience_ms);

/* Whether this one was left. */
bool bequest_has_left(struct traces *traces, int fd);

/* Closes all but what is still to be left and the way there. */
void bequest_close_others(struct traces *traces);

#endif
