/*
 * When a pool gets one more worker: when connections wait in the queue and keep waiting.
 *
 * One look at the queue says little, for a connection is always in it for an instant. Three looks in
 * a row that find it occupied say that the workers do not keep up.
 */
#ifndef FDSUP_POLICY_GROWTH_H
#define FDSUP_POLICY_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

enum {
	GROWTH_LOOKS = 3,
	GROWTH_LOOK_MS = 10,  /* between two looks while the queue is occupied */
	GROWTH_REST_MS = 250, /* after the queue was found empty: it is not watched so long */
};

struct growth {
	uint32_t occupied; /* looks in a row that found connections waiting */
	bool is_resting;   /* the caller's: what its timer means */
};

enum growth_verdict {
	GROWTH_WAIT,  /* look again after GROWTH_LOOK_MS */
	GROWTH_REST,  /* the queue is empty: rest, then wait for the next connection */
	GROWTH_GROW,  /* start one more worker, then look again */
	GROWTH_FULL,  /* the workers do not keep up, and there may be no more: rest */
};

/* One look: `depth` connections wait, n of at most n_max workers live. */
enum growth_verdict growth_look(struct growth *growth, uint32_t depth, uint32_t n, uint32_t n_max);

#endif
