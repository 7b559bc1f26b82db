/*
 * When the time of a connection is over: the keys first_byte_timeout, silence_timeout, max_duration.
 *
 * Nothing is noted per packet. A connection is looked at when its time could be over at the earliest; what
 * the kernel then says of it moves that moment on, or ends it.
 */
#ifndef FDSUP_POLICY_LAPSE_H
#define FDSUP_POLICY_LAPSE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/control.h"

#define LAPSE_NEVER_NS UINT64_MAX

/* 0: none. */
struct lapse_limits {
	uint64_t first_byte_ms; /* from its hand-off */
	uint64_t silence_ms;    /* since data last came or went, or its hand-off */
	uint64_t duration_ms;   /* from its acceptance */
};

/* Of one connection. */
struct lapse_facts {
	uint64_t now_ns, accepted_ns, handed_ns;
	bool has_bytes; /* what the client has sent is known, */
	uint64_t bytes_in;
	bool has_idle;  /* and since when there was no traffic */
	uint64_t idle_ms;
};

static inline bool lapse_has_limits(const struct lapse_limits *limits)
{
	return limits->first_byte_ms || limits->silence_ms || limits->duration_ms;
}

/* The shortest of them, in ns; LAPSE_NEVER_NS. */
uint64_t lapse_shortest_ns(const struct lapse_limits *limits);

/* When its time may be over at the earliest, if nothing more is known of it than these times. */
uint64_t lapse_first_look_ns(
	const struct lapse_limits *limits, uint64_t accepted_ns, uint64_t handed_ns);

/*
 * Its time is over: why. SEVERANCE_NONE: it goes on, and is to be looked at again at *ret_look_ns, which
 * lies ahead. What is not known ends nothing.
 */
enum severance lapse_judge(
	const struct lapse_limits *limits, const struct lapse_facts *facts, uint64_t *ret_look_ns);

#endif
