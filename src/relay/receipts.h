/*
 * Whether a message on a Unix socket has been received: the kernel counts what the other side has
 * not yet read (SIOCOUTQ), and tells each time that this becomes less (EPOLLOUT, edge-triggered,
 * while less than a quarter of the buffer is used).
 *
 * A peer that goes takes its unread messages with it, which looks the same. Its end is closed first,
 * though (measured on Linux 6.18; unix_release_sock in the kernel's af_unix.c): a count that was
 * read before the peer was seen to be alive is true.
 */
#ifndef FDSUP_RELAY_RECEIPTS_H
#define FDSUP_RELAY_RECEIPTS_H

#include <stddef.h>

struct receipts {
	int events; /* an epoll: readable when a look is worth while; -1: closed */
	int unit;   /* what one message of ours counts as */
};

/* 0 or -errno. */
int receipts_open(struct receipts *receipts);
void receipts_close(struct receipts *receipts);

/* Watches a connected socket; it is forgotten when it is closed. 0 or -errno. */
int receipts_watch(struct receipts *receipts, int socket);

/* The events are seen: only later ones make `events` readable again. */
void receipts_clear(struct receipts *receipts);

/* How many messages on the socket are not received; -errno if that cannot be told. */
int receipts_missing(const struct receipts *receipts, int socket);

#endif
