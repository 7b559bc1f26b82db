/*
 * One forwarded connection: the client, the target, and the two flows between them.
 *
 * Each end of a direction is passed on by itself: a client that has said all it wants to say still
 * gets its answer. A reset of one side resets the other.
 */
#ifndef FDSUP_REDIRECT_LINK_H
#define FDSUP_REDIRECT_LINK_H

#include "redirect/dial.h"
#include "redirect/flow.h"
#include "redirect/redirect.h"

struct link {
	struct taken taken; /* first: the taker lists links by it */
	struct redirect *redirect;
	int client;                    /* owned */
	int target;                    /* owned; -1 until it is connected */
	struct dial *dial;             /* while it is being connected */
	struct resolver_waiter waiter; /* before that */
	struct flow in;                /* client to target */
	struct flow out;
	ev_io client_io;
	ev_io target_io;
	ev_timer deadline;  /* for connecting, later for idleness */
	uint64_t active_ms; /* when anything was last moved; before that when it was taken */
};

/* Takes the connection, and memory for it, all zeros, from malloc(3). */
void link_start(
	struct link *link, struct redirect *redirect, const struct handoff *record, int client);

/* Ends it now: we are told to stop. */
void link_stop(struct link *link);

#endif
