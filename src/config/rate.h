/*
 * "10/s", "600/min", "5/10s", "10/s burst 50", "none": so many in so long.
 */
#ifndef FDSUP_CONFIG_RATE_H
#define FDSUP_CONFIG_RATE_H

#include "config/config.h"

enum { RATE_COUNT_MAX = 1000000, RATE_PER_MS_MAX = 7 * 86400 * 1000 };

/*
 * The burst is the count where none is written. 0, -EINVAL (not a rate), or -ERANGE (a count or a
 * burst outside 1..RATE_COUNT_MAX, a time outside 1ms..7d).
 */
int rate_parse(const char *text, struct rate_limit *ret_rate);

enum { RATE_TEXT_SIZE = 64 };

/* Reads back to the same rate. Returns text. */
char *rate_format(char text[RATE_TEXT_SIZE], const struct rate_limit *rate);

enum { DURATION_EXACT_SIZE = 32 };

/* A duration that reads back to the same one, in its largest whole unit. Returns text. */
char *duration_format_exact(char text[DURATION_EXACT_SIZE], uint64_t ms);

#endif
