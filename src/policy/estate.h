/*
 * What becomes of the descriptors of an acceptor that has died, and of the connections among them.
 *
 * Two deciders. The guard has the dead one's descriptors and what it wrote down of them, each time
 * right before and right after it did something; it says what is to be left to the next acceptor. That
 * one has the slots, which say how far the workers have come. What was being handed off when the
 * acceptor died is handed off once more under a new turn: whoever has the old one leaves it alone, so
 * that nothing needs to be guessed.
 */
#ifndef FDSUP_POLICY_ESTATE_H
#define FDSUP_POLICY_ESTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/estate.h"
#include "wire/slots.h"

/* A connection that so many acceptors died of goes to no other. */
enum { ESTATE_DEATHS_MAX = 3 };

/* A descriptor as the guard finds it. */
struct estate_find {
	enum estate_state state; /* as it was written down, ESTATE_UNKNOWN: nothing, or of another socket */
	bool is_connection;      /* a stream socket that does not listen */
	bool is_taking;          /* it was written down for whom connections are being taken */
};

/*
 * What the next acceptor is to be told of it; ESTATE_UNKNOWN: nothing. Among what is passed on,
 * *ret_is_suspect says that the acceptor was busy with it when it died.
 */
enum estate_state estate_of_find(const struct estate_find *find, bool *ret_is_suspect);

/* What the next acceptor does with one that was left to it. */
enum estate_use {
	ESTATE_USE_CLOSE,      /* somebody serves it, or had it last */
	ESTATE_USE_GIVE_UP,    /* too many acceptors have died of it */
	ESTATE_USE_HOLD,       /* as one that is just being accepted */
	ESTATE_USE_DELIVER,    /* the same, and it is greeted already */
	ESTATE_USE_WATCH,      /* a copy: until somebody begins to serve it */
	ESTATE_USE_SEND_AGAIN, /* a copy that is to be handed off once more */
};

/* `slot`: what the slot says of this very connection; NULL: it has none, or that is another's by now. */
enum estate_use estate_use_of(const struct estate_message *left, const struct slot_view *slot);

#endif
