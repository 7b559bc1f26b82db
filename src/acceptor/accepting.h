/*
 * Accepting: the listeners of a service, polled as long as nothing speaks against it.
 *
 * Listeners are watched level-triggered and accept a few at a time, so that none starves another
 * and none is forgotten: starting the watchers again is all that a pause needs. A watcher is
 * stopped before its descriptor is closed, since a copy of the socket lives on in the supervisor.
 */
#ifndef FDSUP_ACCEPTOR_ACCEPTING_H
#define FDSUP_ACCEPTOR_ACCEPTING_H

#include "acceptor/service.h"

/* Takes the descriptor: listening, non-blocking. 0, -EEXIST, -EINVAL (no such socket), -ENOMEM. */
int accepting_add(struct service *service, uint32_t id, int fd);

/* 0 or -ENOENT. */
int accepting_remove(struct service *service, uint32_t id);
void accepting_remove_all(struct service *service);

void accepting_start(struct service *service);
void accepting_stop(struct service *service);

/* Is it the local end of one that a listener of the service has accepted? */
bool accepting_has_address(const struct service *service, const struct endpoint *local);

/* Do its connections all come by TCP, from listeners of its own? */
bool accepting_is_followed(const struct service *service);

/* Does a client wait to be accepted? */
bool accepting_has_waiting(const struct service *service);

#endif
