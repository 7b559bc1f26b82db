/*
 * Which worker has grown so large (max_rss) that another takes its place.
 *
 * One of a service at a time, the one furthest above its own limit: workers that grow alike would
 * else go together, and their successors with them. For the same reason the limit of each lies a
 * tenth beside that of the service, by chance.
 */
#ifndef FDSUP_POLICY_RECYCLE_H
#define FDSUP_POLICY_RECYCLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RECYCLE_LOOK_MS = 3000,   /* between two looks at a service */
	RECYCLE_PACE_MS = 10000,  /* between two replacements: a limit that is too low must not spin */
	RECYCLE_AGAIN_MS = 60000, /* after a replacement that came to nothing */
	RECYCLE_YOUNG_MS = 60000, /* who is above the limit so soon may simply need as much */
};

struct recycle_worker {
	uint64_t rss;     /* bytes; 0: not known */
	double share;     /* of max_rss: its own limit */
	bool is_changing; /* is being started, or is on its way out */
};

/* From a number from 0 to 1: a tenth below 1 to a tenth above. */
double recycle_share(double chance);

uint64_t recycle_limit(uint64_t max_rss, double share);

/* The index of the one that is to be replaced now; n: none. */
size_t recycle_choose(const struct recycle_worker *workers, size_t n, uint64_t max_rss);

#endif
