/*
 * Times of day, and what local time is: both as they travel from the supervisor to an acceptor,
 * which cannot open the files of the time zones.
 */
#ifndef FDSUP_WIRE_HOURS_H
#define FDSUP_WIRE_HOURS_H

#include <stdint.h>

enum { DAY_MINUTES = 24 * 60, EVERY_DAY = 0x7f, ZONE_SPANS_MAX = 16 };

/* One of the windows of the key hours, by the clock on the wall. */
struct window {
	uint16_t from; /* minutes since midnight, 0 to 1439 */
	uint16_t to;   /* the first minute that is outside; above 1440 it is of the next day */
	uint16_t days; /* bits of the days on which it begins; bit 0 is Monday */
};
_Static_assert(sizeof(struct window) == 6, "an array of them is handed over as it is");

/* How far local time is ahead of UTC: which offset holds from when on, in the order of time. */
struct zone {
	uint32_t n; /* at least 1: before the first span its offset holds as well */
	uint32_t zero;
	struct zone_span {
		int64_t from;    /* seconds since 1970 */
		int32_t offset;  /* seconds east of UTC */
		uint32_t zero;
	} spans[ZONE_SPANS_MAX];
};

#endif
