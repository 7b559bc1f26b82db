/*
 * What an acceptor leaves: the connections that it had accepted and that are not in a worker's hands
 * alone, each in a message with its descriptor, on their way to the acceptor that comes next.
 *
 * They travel over a pair of sockets (SOCK_SEQPACKET) of which the supervisor keeps both ends, and
 * the keeper, too: so they wait there, whoever is dead at the moment. Whoever sends them ends with
 * ESTATE_END.
 */
#ifndef FDSUP_WIRE_ESTATE_H
#define FDSUP_WIRE_ESTATE_H

#include <stdint.h>

enum { ESTATE_VERSION = 1 };

enum estate_kind {
	ESTATE_CONNECTION = 1, /* one descriptor */
	ESTATE_END,
};

/* How far a connection has come. */
enum estate_state {
	ESTATE_UNKNOWN,  /* nothing was written down of it */
	ESTATE_OWN,      /* it is no client's: not to be left to anybody */
	ESTATE_ARRIVED,  /* it is being looked at */
	ESTATE_HELD,     /* it waits for a limit */
	ESTATE_ADMITTED, /* it waits for room in the queue, and has been told the banner */
	ESTATE_SENDING,  /* it is being handed off, and may be in the queue */
	ESTATE_DUE,      /* it is to be handed off once more */
	ESTATE_SENT,     /* it was handed off, and this is the copy */
	ESTATE_OVER,     /* it is being closed, or was left to the next one */
};

struct estate_message {
	uint32_t kind;          /* enum estate_kind */
	uint32_t version;       /* ESTATE_VERSION */
	uint64_t id;            /* of the connection */
	uint64_t accepted_ns;   /* CLOCK_MONOTONIC */
	uint32_t service;       /* its row on the scoreboard, */
	uint32_t name;          /* and estate_name() of the service that had it */
	uint32_t order;         /* of the hand-off */
	uint16_t slot;          /* wire/slots.h; 0: none, or the workers do not claim */
	uint8_t state;          /* enum estate_state */
	uint8_t n_acceptors;    /* that died while they looked at it */
	uint8_t n_workers;      /* that died with it */
	uint8_t is_uncounted;   /* it is not among those that were accepted, on the scoreboard */
	uint8_t zero[6];
};

/* A row may have another service by the time that somebody reads. */
uint32_t estate_name(const char *service);

/*
 * Makes the pair: ret_ends[0] is to be written to, ret_ends[1] to be read from. Both close-on-exec.
 * 0 or -errno.
 */
int estate_open(int ret_ends[2]);

#endif
