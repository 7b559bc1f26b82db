/*
 * Whether a process that should turn still does. It notes when it last did; one that has had nothing to
 * do for a while is asked to, and has as long as several looks to answer.
 */
#ifndef FDSUP_POLICY_HEARTBEAT_H
#define FDSUP_POLICY_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

/* Between two looks. One that has not turned when so many have passed since it was asked hangs. */
enum { HEARTBEAT_LOOK_MS = 2000, HEARTBEAT_MISSED_MAX = 2 };

/* All zeros: it has just begun. */
struct heartbeat {
	uint64_t asked_ms; /* 0: no answer is awaited */
	unsigned n_missed;
};

enum heartbeat_verdict {
	HEARTBEAT_FINE,
	HEARTBEAT_ASK,  /* to turn */
	HEARTBEAT_HANGS,
};

/* A look at `now_ms`: it turned at `turned_ms` the last time; `has_answered` what it was asked last. */
enum heartbeat_verdict heartbeat_look(
	struct heartbeat *heartbeat, uint64_t now_ms, uint64_t turned_ms, bool has_answered);

#endif
