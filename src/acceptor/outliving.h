/*
 * Commands that outlive their worker.
 *
 * They are children of fdsup then, which tells how they end. Those that were started before an fdsup died
 * become children of somebody else, who tells nobody: so each is watched, by a descriptor of its process
 * (pidfd_open(2)). When it is gone and a second later nothing was told, its connection has ended, and
 * nobody knows how.
 */
#ifndef FDSUP_ACCEPTOR_OUTLIVING_H
#define FDSUP_ACCEPTOR_OUTLIVING_H

#include <ev.h>
#include <sys/types.h>

struct acceptor;
struct outlived;

/* All zeros: none. */
struct outliving {
	struct outlived *first; /* list */
};

/* A process that serves a connection in the ledger; once for each. */
void outliving_watch(struct acceptor *acceptor, pid_t pid);

void outliving_close(struct acceptor *acceptor);

#endif
