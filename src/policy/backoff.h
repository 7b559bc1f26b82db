/*
 * How long to wait before a worker is started again, and when to give up.
 *
 * At once after good service (10 s of health, or connections served); else the delay doubles from
 * restart_delay to restart_delay_max, with a fifth of chance either way so that twenty services
 * that fail together do not return together. A clean exit after a second of life,
 * or good service, goes back to the start.
 */
#ifndef FDSUP_POLICY_BACKOFF_H
#define FDSUP_POLICY_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

enum {
	BACKOFF_HEALTHY_MS = 10000,
	BACKOFF_CLEAN_MS = 1000, /* who ends sooner has done nothing, whatever the status */
	BACKOFF_DEATHS_KEPT = 16,
};

struct backoff {
	uint32_t early_deaths; /* in a row */
	uint32_t n_times;      /* that were ever written to the ring */
	uint32_t times_ms[BACKOFF_DEATHS_KEPT]; /* of the last early deaths, a ring; low bits suffice */
};

struct backoff_rule {
	uint64_t delay_ms;
	uint64_t delay_max_ms;
	uint32_t give_up_deaths;    /* 0: never */
	uint32_t give_up_within_ms;
};

struct backoff_death {
	uint64_t now_ms;
	uint64_t age_ms;    /* of the worker that died */
	bool was_useful;    /* connections were served while it lived */
	bool is_clean;      /* status 0 */
	double chance;      /* 0 to 1, for the spread */
};

/* What to do about a death. */
struct backoff_verdict {
	bool is_early;
	bool give_up;
	uint64_t delay_ms;  /* until the next try; 0: at once */
};

struct backoff_verdict backoff_on_death(
	struct backoff *backoff, const struct backoff_rule *rule, const struct backoff_death *death);

/* An administrator starts it by hand: a new beginning. */
void backoff_reset(struct backoff *backoff);

#endif
