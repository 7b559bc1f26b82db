/*
 * The classic worker socket: acceptors connect, and each sends one byte and one descriptor a
 * connection. A bad message ends the connection to that acceptor and nothing else.
 */
#ifndef FDSUP_LIBRARY_CLASSIC_H
#define FDSUP_LIBRARY_CLASSIC_H

#include "library/channel.h"
#include "wire/handoff.h"

/* A socket that is connected to an acceptor becomes the channel's. 0, -EMFILE or other -errno. */
int classic_add(struct fdsup_channel *channel, int fd);

/* 1: a connection. 0: none will come any more. Else -errno, as fdsup_take. */
int classic_take(struct fdsup_channel *channel, struct handoff *ret_record, int *ret_connection);

/*
 * Acceptors see EPIPE from now on and keep what they have; what they had sent before can still be
 * taken.
 */
void classic_retire(struct fdsup_channel *channel);

#endif
