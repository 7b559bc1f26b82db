/*
 * fdsup-relay as a whole: connections on their way from the queue to a worker of others.
 *
 * Our copy of a connection is kept until the worker has received it. If the worker goes before that,
 * the next one gets the connection, provided that nobody has touched it; what the worker had received
 * is its own, and goes with it. No connection is taken while there is no worker: the queue, which
 * outlives us, holds them.
 */
#ifndef FDSUP_RELAY_RELAY_H
#define FDSUP_RELAY_RELAY_H

#include "relay/options.h"
#include "relay/receipts.h"
#include "taker/taker.h"
#include "taker/trouble.h"

/* So many connections are under way at most: what a kill of ours could cost. */
enum { RELAY_UNDER_WAY_MAX = 16 };

/* A worker that has received nothing for so long is told of. */
enum { RELAY_PATIENCE_MS = 3000 };

/* When we are to finish, a worker that does not come is waited for so long. */
enum { RELAY_DRAIN_MS = 10000 };

/* A connection is sent so often: one that ends three workers is not given to a fourth. */
enum { RELAY_TRIES_MAX = 3 };

struct passed;

struct relay {
	struct taker taker;
	const struct options *options;
	int socket;             /* to the worker; -1: there is none */
	ev_io hangup;           /* the worker is gone */
	ev_io received;         /* the worker may have received something */
	ev_timer reconnect;
	ev_timer patience;      /* the worker is there and receives nothing */
	bool is_hung;           /* that has been said */
	uint64_t draining_ms;   /* since when connections wait that no new worker will come for; 0: none */
	uint64_t delay_ms;      /* until the next try */
	struct receipts receipts;
	struct trouble trouble;
	char told[PEER_REASON_SIZE]; /* why it last failed */
	struct passed *first;   /* list: those that were sent, then those that were not, as they came */
	struct passed *last;
	size_t n_sent;          /* of those */
};

/* Serves until the end. 0, or before the beginning -errno (see taker_open), or 1 after a complaint. */
int relay_run(const struct options *options);

#endif
