/*
 * Ending a connection that others have: since its time is over, or by order.
 *
 * The kernel resets it (SOCK_DESTROY), whoever holds it, and a command that was started for it is told
 * to end as well, since it may hang elsewhere: its process group gets the stop_signal, and KILL after
 * the stop_timeout. What the acceptor says of processes is not believed, it is looked up.
 */
#ifndef FDSUP_SUPERVISOR_SEVERING_H
#define FDSUP_SUPERVISOR_SEVERING_H

#include "wire/control.h"

struct service;
struct supervisor;

/* What has been done to a connection, as bits. */
enum { SEVERED_SOCKET = 1, SEVERED_COMMAND = 2 };

/*
 * Tells the acceptor, too. The bits of what has been done, at least one; -ENOENT: it had ended. Else
 * -errno of connection_destroy(): nothing has been done.
 */
int severing_end(struct service *service, const struct control_connection *connection);

/* What the administrator can do about such an error. */
const char *severing_remedy(const struct service *service, int error);

/* CONTROL_LAPSED has come. */
void severing_on_lapsed(struct service *service, const struct control_connection *connection);

/* fdsup ends: all processes are ended otherwise. */
void severing_forget(struct supervisor *supervisor);

#endif
