/* The local time that acceptors are told of is that of the C library. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/zone.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

static const int64_t new_year = 1704067200; /* 2024, UTC */

static int32_t told(const struct zone *zone, int64_t wall_s)
{
	int32_t offset = zone->spans[0].offset;
	for (uint32_t i = 0; i < zone->n; i++)
		if (zone->spans[i].from <= wall_s)
			offset = zone->spans[i].offset;
	return offset;
}

Test(zone, without_changes_is_one_offset)
{
	struct zone zone;
	setenv("TZ", "IST-5:30", 1);
	zone_read(&zone, new_year);
	cr_expect_eq(zone.n, 1);
	cr_expect_eq(zone.spans[0].offset, 5 * HOUR + HOUR / 2);
}

Test(zone, is_that_of_the_library_in_each_hour_of_three_years)
{
	static const char *const zones[] = { "CET-1CEST,M3.5.0,M10.5.0/3", "NZST-12NZDT,M9.5.0,M4.1.0/3",
		"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "UTC0", "PST8PDT,M3.2.0,M11.1.0" };
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		struct zone zone;
		setenv("TZ", zones[i], 1);
		zone_read(&zone, new_year);
		for (int64_t s = new_year - 360 * DAY; s < new_year + 720 * DAY; s += HOUR / 2) {
			time_t time = (time_t)s;
			struct tm local;
			cr_assert(localtime_r(&time, &local));
			cr_assert_eq(told(&zone, s), local.tm_gmtoff, "%s at %lld", zones[i], (long long)s);
		}
	}
}

Test(zone, changes_to_the_second)
{
	struct zone zone;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	zone_read(&zone, new_year);
	cr_expect_eq(told(&zone, 1711846799), HOUR);
	cr_expect_eq(told(&zone, 1711846800), 2 * HOUR);
}
