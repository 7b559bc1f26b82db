/*
 * How a service stands as it is shown: since when, and what of it is told to those who follow.
 *
 * The table of states is not all of it: a service whose clients wait, or which is at a limit, is shown
 * DEGRADED (health.h). That is seen by whoever looks; the facts say since when. Those who follow events are
 * told that it is well again only when it has been for a while: a service on the edge would go to and fro
 * with every client.
 */
#ifndef FDSUP_POLICY_STANDING_H
#define FDSUP_POLICY_STANDING_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/health.h"

/* Looks, STANDING_LOOK_MS apart, at which it must be well before that is told. */
enum { STANDING_LOOK_MS = 1000, STANDING_WELL_LOOKS = 5 };

/* There are hundreds. All zeros: STOPPED, since the machine was started. */
struct standing {
	uint64_t since_ms; /* CLOCK_MONOTONIC */
	uint8_t shown;     /* enum service_state */
	uint8_t told;
	uint8_t n_well;    /* looks since it is shown well and told DEGRADED */
};

/* The table of states has led to another, which is told at once. */
void standing_change(struct standing *standing, enum service_state next, uint64_t now_ms);

/* Somebody has looked. */
void standing_note(struct standing *standing, const struct health *health, uint64_t now_ms);

/* One more look, after it was noted. True: it is to be told that it was *ret_was. */
bool standing_tell(struct standing *standing, enum service_state *ret_was);

/* DEGRADED or well again, and that is not settled: look again. */
bool standing_is_open(const struct standing *standing, enum service_state state);

#endif
