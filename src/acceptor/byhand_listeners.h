/*
 * The listeners of an acceptor by hand: every address of a name, all or none.
 */
#ifndef FDSUP_ACCEPTOR_BYHAND_LISTENERS_H
#define FDSUP_ACCEPTOR_BYHAND_LISTENERS_H

#include "acceptor/options.h"
#include "net/resolve.h"

/* The number opened, in fds; or -1 after logging what is wrong and what to do about it. */
int byhand_listen(const struct options *options, int fds[RESOLVE_MAX]);

#endif
