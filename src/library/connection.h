/*
 * A connection as the program sees it, made from what was handed over, and back for reports.
 */
#ifndef FDSUP_LIBRARY_CONNECTION_H
#define FDSUP_LIBRARY_CONNECTION_H

#include "fdsup/worker.h"
#include "wire/handoff.h"

/*
 * From a record; what a sender of the classic format did not say is asked of the kernel. 0, or
 * -EBADMSG: the descriptor is no connection.
 */
int connection_fill(struct fdsup_connection *connection, const struct handoff *record, int fd);

struct endpoint connection_peer(const struct fdsup_connection *connection);
struct endpoint connection_local(const struct fdsup_connection *connection);

#endif
