/*
 * Messages with descriptors between two of our own processes, over a SOCK_SEQPACKET pair, in order
 * and without ever waiting: what the socket does not take is kept until it does.
 *
 * The channel knows no message and no event loop. Its owner watches the socket: for reading always,
 * for writing while channel_has_backlog.
 */
#ifndef FDSUP_WIRE_CHANNEL_H
#define FDSUP_WIRE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/descriptor.h"

enum { CHANNEL_MESSAGE_MAX = 1024 };

struct channel_pending; /* list: of struct channel, oldest first */

struct channel {
	int socket; /* owned */
	struct channel_pending *first;
	struct channel_pending *last;
};

#define CHANNEL_INIT { .socket = -1 }

/* Takes the socket. */
void channel_init(struct channel *channel, int socket);

/* So that much can be told at once, whenever it is read: four megabytes, where we may; else less. */
void channel_deepen(const struct channel *channel);

/* Closes the socket, drops what was not sent and closes the descriptors kept for it. */
void channel_fini(struct channel *channel);

/*
 * Sends or keeps. The descriptors stay the caller's (copies are kept when they must wait).
 * 0 or -errno: -EPIPE when the other end is gone, -ENOMEM, -EMFILE.
 */
int channel_send(
	struct channel *channel, const void *bytes, size_t length, const int fds[], size_t n_fds);

bool channel_has_backlog(const struct channel *channel);

/* Sends what was kept, as far as the socket takes it. 0 or -errno as above. */
int channel_flush(struct channel *channel);

#endif
