/*
 * An address that a program of ours from before still listens on: its service was removed or moved
 * while it has things to finish, or does not end. The socket is fetched back from it, and both have
 * it until the old program ends; nobody has to wait for that, and no client is refused.
 */
#ifndef FDSUP_SUPERVISOR_REGAIN_H
#define FDSUP_SUPERVISOR_REGAIN_H

#include <stdbool.h>

#include "config/config.h"

/*
 * The socket, close-on-exec; -ESRCH if no descendant of ours has it, or another -errno. It takes a
 * kernel with pidfd_getfd(2), Linux 5.6.
 */
int regain_listener(const struct listen_address *where, bool is_udp);

#endif
