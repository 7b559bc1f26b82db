/*
 * What the kernel knows of a connection that was handed over: whether its client is still there,
 * and, where the sender did not say, who it is.
 */
#ifndef FDSUP_WORKER_CONNECTION_H
#define FDSUP_WORKER_CONNECTION_H

#include "wire/handoff.h"

/*
 * Completes the record of a connection. -ENOTCONN: the client has reset it, nothing can be served.
 * A client that has only sent its FIN still wants its answer: 0.
 */
int connection_examine(int connection, struct handoff *record);

#endif
