/*
 * The worker socket as an entrance: other programs that have accepted connections send them to a
 * service, in the classic format, one byte and one descriptor a message.
 *
 * What comes this way passes the same admission as what we accept ourselves; as long as the gate is
 * closed, nothing is read and the senders wait. Senders are not trusted: only connected stream
 * sockets are taken, and what they are is asked of the kernel.
 */
#ifndef FDSUP_ACCEPTOR_ENTRANCE_H
#define FDSUP_ACCEPTOR_ENTRANCE_H

#include "acceptor/service.h"

/* Senders of one service at a time; more wait in the backlog. */
enum { ENTRANCE_SENDERS_MAX = 64 };

/* Takes the descriptor: a listening, non-blocking Unix socket. 0, -EEXIST, -EINVAL, -ENOMEM. */
int entrance_add(struct service *service, const struct control_listener *settings, int fd);

/* What senders have sent is still taken, then they are disconnected. 0 or -ENOENT. */
int entrance_remove(struct service *service, uint32_t id);
void entrance_remove_all(struct service *service);

void entrance_start(struct service *service);
void entrance_stop(struct service *service);

#endif
