/*
 * Connections whose time is over, looked for in one walk through the ledger for all services.
 *
 * The walk is made when the first of them may be due, and never more often than an eighth of the
 * shortest limit, so that ten thousand connections cost one walk and not ten thousand timers. Each turn
 * of the loop goes on for a piece. What is over is told to the supervisor, who can end it; the place
 * is free when that has happened, even if whoever has the connection says nothing.
 */
#ifndef FDSUP_ACCEPTOR_LAPSE_H
#define FDSUP_ACCEPTOR_LAPSE_H

#include <ev.h>
#include <stdint.h>

struct acceptor;
struct control_connection;
struct service;

struct lapse_watch {
	ev_timer timer;
	uint64_t timer_ns; /* when it is due; NEVER_NS: it is stopped */
	uint64_t begun_ns; /* the walk under way, or the last one */
	uint64_t next_ns;  /* the first that it has left for the next one */
	uint32_t place;    /* to go on at; 0: none is under way */
};

void lapse_open(struct acceptor *acceptor);
void lapse_close(struct acceptor *acceptor);

/* Others than before: all of its connections are looked at anew. */
void lapse_on_limits(struct service *service);

/* It may have connections that were not there before. */
void lapse_expect(struct service *service, uint64_t now_ns);

/* One of its connections is being ended by order, or could not be. */
void lapse_on_severed(struct service *service, const struct control_connection *connection);

#endif
