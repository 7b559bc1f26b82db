/*
 * Whether nobody has read from a connection or written to it, so that another worker can serve it
 * as if the first had never had it.
 */
#ifndef FDSUP_NET_UNTOUCHED_H
#define FDSUP_NET_UNTOUCHED_H

#include <stdbool.h>

/* True only if that is certain: of a TCP connection, by the kernel's own counters. */
bool connection_is_untouched(int connection);

#endif
