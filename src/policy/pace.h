/*
 * How an acceptor keeps pace with its workers: while they have connections waiting, one more need not
 * be accepted this instant.
 *
 * On a busy machine an acceptor that is woken for each connection takes the processor from the very
 * worker that is to serve it, and spends as much on waking as on accepting. So it lets a few come
 * while the workers have enough to do, and takes them together. It rests about as long as one
 * processor takes to serve what waits, and not at all when a worker may be idle.
 */
#ifndef FDSUP_POLICY_PACE_H
#define FDSUP_POLICY_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PACE_ENOUGH = 4,    /* as many must wait in the queue */
	PACE_EACH_US = 15,  /* the least that serving one of them takes */
	PACE_MOST_US = 250, /* no accept is later by more, but for the kernel's timer slack: 50 */
};

/* One turn of the loop. All zeros at its beginning. */
struct pace {
	uint32_t rest_us;
	bool has_hurry;
};

/* Connections of a service were accepted, and now so many wait in its queue. */
void pace_note(struct pace *pace, uint32_t n_waiting);

/* The turn ends: how long to rest. The next one begins. */
uint32_t pace_take(struct pace *pace);

#endif
