/*
 * What the acceptor has written down of its descriptors, for the case of its own death: memory that it
 * shares with its guard (guard.h), one entry a descriptor.
 *
 * An entry holds for the socket whose id it names and for no other that gets the same number later, so
 * nothing has to be crossed out when a descriptor is closed. Each step is written down by one store, right
 * before or right after the system call that it is about: what a kill can fall between is what
 * policy/estate.h decides.
 */
#ifndef FDSUP_ACCEPTOR_TRACES_H
#define FDSUP_ACCEPTOR_TRACES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/estate.h"

struct trace {
	uint64_t id;
	uint64_t accepted_ns;
	uint32_t order; /* of the hand-off */
	uint32_t name;
	uint16_t service;
	uint16_t slot;
	_Atomic uint8_t state; /* enum estate_state */
	uint8_t n_acceptors;
	uint8_t n_workers;
	uint8_t is_uncounted; /* not among those that were accepted, on the scoreboard */
};
_Static_assert(sizeof(struct trace) == 32, "a hundred descriptors and the head fit a page");

struct traces {
	uint32_t room;
	_Atomic uint32_t n; /* entries below were used */
	_Atomic int out;    /* where the estate goes to, wire/estate.h; -1: nowhere yet */
	_Atomic int in;     /* and where that of those before comes from */
	_Atomic uint64_t taking; /* name << 32 | row + 1 of the service for which one is taken; 0: none is */
	uint32_t order;
	struct trace items[];
};

/* For descriptors up to the hard limit. NULL: out of memory. */
struct traces *traces_create(void);
void traces_destroy(struct traces *traces);

/* All of the calls below do nothing where there are no traces (NULL), or no room for the number. */

/* From here on a new connection belongs to this service; row UINT32_MAX: to none. */
static inline void traces_take_for(struct traces *traces, uint32_t row, uint32_t name)
{
	if (traces)
		atomic_store_explicit(&traces->taking, (uint64_t)name << 32 | (row + 1u),
			memory_order_release);
}

static inline struct trace *traces_at(struct traces *traces, int fd)
{
	return traces && fd >= 0 && (uint32_t)fd < traces->room ? &traces->items[fd] : NULL;
}

/* The entry of a descriptor is about this socket from now on. */
void traces_begin(struct traces *traces, int fd, const struct trace *like);

static inline void traces_set(struct traces *traces, int fd, enum estate_state state)
{
	struct trace *trace = traces_at(traces, fd);
	if (trace)
		atomic_store_explicit(&trace->state, (uint8_t)state, memory_order_release);
}

/* So many workers have died with it. */
static inline void traces_set_workers(struct traces *traces, int fd, uint8_t n)
{
	struct trace *trace = traces_at(traces, fd);
	if (trace)
		trace->n_workers = n;
}

/* It is among those that were accepted, on the scoreboard. */
static inline void traces_set_counted(struct traces *traces, int fd)
{
	struct trace *trace = traces_at(traces, fd);
	if (trace)
		trace->is_uncounted = false;
}

/* It is about to be handed off; slot 0: nobody would notice if that happened twice. */
static inline void traces_send(struct traces *traces, int fd, uint16_t slot)
{
	struct trace *trace = traces_at(traces, fd);
	if (!trace)
		return;
	trace->slot = slot;
	trace->order = traces->order++;
	atomic_store_explicit(&trace->state, ESTATE_SENDING, memory_order_release);
}

#endif
