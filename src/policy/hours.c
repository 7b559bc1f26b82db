#include "policy/hours.h"

enum { DAY_S = 24 * 3600, WEEK_DAYS = 7, THURSDAY = 3 };

static const struct zone_span *span_at(const struct zone *zone, int64_t wall_s)
{
	uint32_t i = zone->n;
	while (i > 1 && zone->spans[i - 1].from > wall_s)
		i--;
	return &zone->spans[i - 1];
}

static int64_t divide_down(int64_t number, int64_t by)
{
	return number / by - (number % by < 0);
}

/* 0 is Monday; 1970 began on a Thursday. */
static unsigned weekday(int64_t day)
{
	int64_t days = day + THURSDAY;
	return (unsigned)(days - divide_down(days, WEEK_DAYS) * WEEK_DAYS);
}

static bool begins_on(const struct window *window, int64_t day)
{
	return window->days >> weekday(day) & 1;
}

static bool contains(const struct window *window, int64_t day, unsigned minute)
{
	if (begins_on(window, day) && window->from <= minute && minute < window->to)
		return true;
	return begins_on(window, day - 1) && minute + DAY_MINUTES < window->to;
}

bool hours_are_open(const struct window *windows, size_t n, const struct zone *zone, int64_t wall_s)
{
	int64_t local_s = wall_s + span_at(zone, wall_s)->offset;
	int64_t day = divide_down(local_s, DAY_S);
	unsigned minute = (unsigned)(local_s - day * DAY_S) / 60;
	for (size_t i = 0; i < n; i++)
		if (contains(&windows[i], day, minute))
			return true;
	return n == 0;
}

/* The earliest moment after `now_s` at which something else holds, among those that are offered. */
struct search {
	const struct window *windows;
	size_t n;
	const struct zone *zone;
	int64_t now_s;
	bool is_open;
	int64_t found_s;
};

static void offer(struct search *search, int64_t wall_s)
{
	if (wall_s > search->now_s && wall_s < search->found_s &&
		hours_are_open(search->windows, search->n, search->zone, wall_s) != search->is_open)
		search->found_s = wall_s;
}

/* A local time that comes twice is two moments, one that is left out is none. */
static void offer_local(struct search *search, int64_t local_s)
{
	for (uint32_t i = 0; i < search->zone->n; i++) {
		int64_t wall_s = local_s - search->zone->spans[i].offset;
		if (span_at(search->zone, wall_s) == &search->zone->spans[i])
			offer(search, wall_s);
	}
}

int64_t hours_next_change(
	const struct window *windows, size_t n, const struct zone *zone, int64_t wall_s)
{
	struct search search = { windows, n, zone, wall_s, hours_are_open(windows, n, zone, wall_s),
		INT64_MAX };
	int64_t today = divide_down(wall_s + span_at(zone, wall_s)->offset, DAY_S);
	for (uint32_t i = 0; i < zone->n; i++)
		offer(&search, zone->spans[i].from);
	for (int64_t day = today - 2; day <= today + WEEK_DAYS + 1; day++)
		for (size_t i = 0; i < n; i++) {
			if (!begins_on(&windows[i], day))
				continue;
			offer_local(&search, day * DAY_S + windows[i].from * 60);
			offer_local(&search, day * DAY_S + windows[i].to * 60);
		}
	return search.found_s;
}
