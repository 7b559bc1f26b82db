/*
 * Our own processes give up what they do not need, before the first stranger connects.
 *
 * What the kernel lacks is left out and told, and the rest goes on: nothing here fails. There is no
 * way back, and what a process starts would inherit it. (fdsup-worker is not among them: it starts
 * commands, whose confinement is a matter of their service's configuration.)
 */
#ifndef FDSUP_CONFINE_CONFINE_H
#define FDSUP_CONFINE_CONFINE_H

#include <stdbool.h>

#include "wire/confinement.h"

enum confine_role {
	/* Accepts, passes descriptors, keeps tables: no file, no program, no new socket, no other
	   process. A list of what is allowed. */
	CONFINE_ACCEPTOR,
	/* Has the descriptors of an acceptor, and hands them on when that has died. */
	CONFINE_GUARD,
	/* The same as an acceptor by hand: connects to a Unix socket again when its worker is back. Whoever starts it
	   as root wants it to reach root's sockets: it keeps its capabilities. */
	CONFINE_ACCEPTOR_BY_HAND,
	/* Takes connections and serves them itself: looks names up, and so reads files, loads
	   libraries, connects. It writes no file and starts no program. */
	CONFINE_TAKER,
};

/* Confines this process, which must have one thread. */
void confine(enum confine_role role, struct confinement *ret_confinement);

/*
 * Whether this is a build whose debugging tool needs far more than we do (sanitizers): then the
 * acceptors are confined as takers are.
 */
bool confine_is_wide(void);

/* Valgrind runs on system calls of its own, in our process: they cannot be told from ours. */
bool confine_is_under_valgrind(void);

#endif
