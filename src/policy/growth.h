/*
 * When a pool gets one more worker, and when it has too many.
 *
 * It grows when connections wait in the queue and keep waiting. One look at the queue says little, for a connection is always in it for an instant. Three looks in
 * a row that find it occupied say that the workers do not keep up. It shrinks by the low-water mark
 * of its idle workers: what was idle at every look of a whole minute is not needed.
 */
#ifndef FDSUP_POLICY_GROWTH_H
#define FDSUP_POLICY_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

enum {
	GROWTH_LOOKS = 3,
	GROWTH_LOOK_MS = 10,  /* between two looks while the queue is occupied */
	GROWTH_REST_MS = 250, /* after the queue was found empty: it is not watched so long */
	GROWTH_MARK_MS = 60000, /* how long a worker must not have been needed */
};

struct growth {
	uint32_t occupied; /* looks in a row that found connections waiting */
	bool is_resting;   /* the caller's: what its timer means */
	uint32_t least_idle;   /* workers, since the mark was begun */
	uint64_t mark_ms;      /* when it was begun; 0: it was not */
};

enum growth_verdict {
	GROWTH_WAIT,  /* look again after GROWTH_LOOK_MS */
	GROWTH_REST,  /* the queue is empty: rest, then wait for the next connection */
	GROWTH_GROW,  /* start one more worker, then look again */
	GROWTH_FULL,  /* the workers do not keep up, and there may be no more: rest */
};

/*
 * How many of n workers can go, of which `busy` have something to do; at least n_min are left. Asked
 * at every look; the answer is 0 but once in GROWTH_MARK_MS.
 */
uint32_t growth_surplus(
	struct growth *growth, uint32_t n, uint32_t n_min, uint32_t busy, uint64_t now_ms);

/* Until there may be an answer, if nobody looks before. */
uint64_t growth_mark_left_ms(const struct growth *growth, uint64_t now_ms);

/* One look: `depth` connections wait, n of at most n_max workers live. */
enum growth_verdict growth_look(struct growth *growth, uint32_t depth, uint32_t n, uint32_t n_max);

#endif
