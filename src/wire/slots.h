/*
 * The slots of a service: who has which of the connections that were handed off.
 *
 * One table a service, in memory that its acceptor and its workers share. A hand-off names a slot and
 * the turn for which it holds (wire/handoff.h). Each step is one compare-and-swap:
 *
 *     FREE -> QUEUED      the acceptor, before it sends the hand-off: a new turn
 *     QUEUED -> CLAIMED   the worker that received it, before it does anything with the connection
 *     CLAIMED -> BEGUN    whoever begins to serve it: the worker, or the child that becomes a command
 *                         as its last step before exec
 *     QUEUED, CLAIMED -> QUEUED    the acceptor, when the worker has died: a new turn
 *     any -> FREE         the acceptor
 *
 * Who comes with an old turn comes too late and leaves the connection alone. So it is served once at
 * most, whoever is killed and whenever, and the last word on it is there after all of them are dead.
 *
 * The workers can write anything here, about their own service: an acceptor believes of it no more
 * than it believes of their reports, and uses nothing of it as an index.
 */
#ifndef FDSUP_WIRE_SLOTS_H
#define FDSUP_WIRE_SLOTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/handoff.h"

enum slot_state { SLOT_FREE, SLOT_QUEUED, SLOT_CLAIMED, SLOT_BEGUN };

struct slot {
	_Atomic uint64_t connection; /* id */
	_Atomic uint64_t word;       /* pid << 32 | turn << 8 | state */
};
_Static_assert(sizeof(struct slot) == 16, "part of the wire format");

enum { SLOTS_MIN = 1024, SLOTS_MAX = UINT16_MAX };

/* Number 0 is none: its place holds what the table is known by. */
struct slots {
	struct slot *items; /* NULL: there is no table */
	uint32_t n;         /* number 0 included */
};

/* What a slot says. */
struct slot_view {
	uint64_t word;
	enum slot_state state;
	uint16_t turn;
	int32_t pid; /* CLAIMED: the worker. BEGUN: whoever serves it; 0: a program of somebody else's */
};

/*
 * Makes the table for a queue of this depth, in a memory file that nobody can shrink; pages that were
 * never used cost nothing. The descriptor or -errno.
 */
int slots_create(unsigned depth);

/* 0; -EINVAL: the descriptor is none; other -errno. */
int slots_map(int fd, struct slots *ret_slots);
void slots_unmap(struct slots *slots);

/* ---- the acceptor; `number` is its own, from 1 to n - 1 ---------------------------------------- */

/* QUEUED, for a connection that is about to be handed off. Returns the turn. */
uint16_t slots_offer(const struct slots *slots, uint32_t number, uint64_t connection);

struct slot_view slots_look(const struct slots *slots, uint32_t number);
uint64_t slots_connection(const struct slots *slots, uint32_t number);

/* QUEUED for a new turn, unless something has happened since the look. */
bool slots_take_back(const struct slots *slots, uint32_t number, const struct slot_view *look,
	uint16_t *ret_turn);

void slots_free(const struct slots *slots, uint32_t number);

/* ---- the worker -------------------------------------------------------------------------------- */

/* All zeros: a connection without a slot, which is its receiver's. */
struct slot_claim {
	struct slot *slot;
	uint64_t word;
};

/*
 * To be called for each connection that was received, before anything is done with it. False: it was
 * given to somebody else meanwhile; close it.
 */
bool slots_claim(const struct slots *slots, const struct handoff *record, int32_t pid,
	struct slot_claim *ret_claim);

/* `pid` begins to serve it. False: somebody else does. Safe in a child that shares our memory. */
bool slot_begin(struct slot_claim *claim, int32_t pid);

/* It did not begin after all: the connection is still this worker's. */
void slot_unbegin(struct slot_claim *claim, int32_t pid);

#endif
