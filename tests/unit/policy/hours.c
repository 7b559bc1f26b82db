#include <criterion/criterion.h>

#include "policy/hours.h"

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static const struct zone utc = { .n = 1 };

/* Monday, 2024-01-01 00:00 UTC. */
static const int64_t monday = 1704067200;

/* Central Europe in 2024: forward on 31 March, back on 27 October, both at 01:00 UTC. */
static const int64_t forward = 1711846800, back = 1729990800;
static const struct zone berlin = {
	.n = 3,
	.spans = { { .from = 0, .offset = HOUR }, { .from = 1711846800, .offset = 2 * HOUR },
		{ .from = 1729990800, .offset = HOUR } },
};

static struct window window(int from_hour, int to_hour, uint16_t days)
{
	return (struct window){ (uint16_t)(from_hour * 60), (uint16_t)(to_hour * 60), days };
}

static bool is_open(struct window only, const struct zone *zone, int64_t wall_s)
{
	return hours_are_open(&only, 1, zone, wall_s);
}

Test(hours, none_are_always)
{
	cr_expect(hours_are_open(NULL, 0, &utc, monday));
	cr_expect_eq(hours_next_change(NULL, 0, &utc, monday), INT64_MAX);
}

Test(hours, begin_with_their_first_minute_and_end_before_their_last)
{
	struct window office = window(8, 18, EVERY_DAY);
	cr_expect_not(is_open(office, &utc, monday + 8 * HOUR - 1));
	cr_expect(is_open(office, &utc, monday + 8 * HOUR));
	cr_expect(is_open(office, &utc, monday + 18 * HOUR - 1));
	cr_expect_not(is_open(office, &utc, monday + 18 * HOUR));
}

Test(hours, to_midnight_go_on_with_those_from_midnight)
{
	const struct window both[] = { window(20, 24, EVERY_DAY), window(0, 2, EVERY_DAY) };
	for (int64_t s = 20 * HOUR; s < 26 * HOUR; s += 7 * MINUTE)
		cr_expect(hours_are_open(both, 2, &utc, monday + s), "%lld", (long long)s);
	cr_expect_not(hours_are_open(both, 2, &utc, monday + 26 * HOUR));
	cr_expect_eq(hours_next_change(both, 2, &utc, monday + 21 * HOUR), monday + 26 * HOUR);
}

Test(hours, over_midnight_belong_to_the_day_on_which_they_begin)
{
	struct window night = window(22, 30, 1 << 4); /* Friday */
	int64_t friday = monday + 4 * DAY;
	cr_expect_not(is_open(night, &utc, friday + 5 * HOUR));
	cr_expect(is_open(night, &utc, friday + 22 * HOUR));
	cr_expect(is_open(night, &utc, friday + DAY + 6 * HOUR - 1));
	cr_expect_not(is_open(night, &utc, friday + DAY + 6 * HOUR));
	cr_expect_not(is_open(night, &utc, friday + DAY + 22 * HOUR));
	/* Sunday's night ends on Monday. */
	cr_expect(is_open(window(22, 30, 1 << 6), &utc, monday + 5 * HOUR));
}

Test(hours, of_a_week_change_next_when_the_next_begins)
{
	struct window once = window(8, 9, 1 << 2);
	cr_expect_eq(hours_next_change(&once, 1, &utc, monday), monday + 2 * DAY + 8 * HOUR);
	cr_expect_eq(hours_next_change(&once, 1, &utc, monday + 2 * DAY + 8 * HOUR),
		monday + 2 * DAY + 9 * HOUR);
	cr_expect_eq(hours_next_change(&once, 1, &utc, monday + 2 * DAY + 9 * HOUR),
		monday + 9 * DAY + 8 * HOUR);
}

Test(hours, of_the_whole_week_never_change)
{
	struct window always = window(0, 24, EVERY_DAY);
	for (int64_t s = 0; s < 8 * DAY; s += HOUR)
		cr_assert(is_open(always, &utc, monday + s));
	cr_expect_eq(hours_next_change(&always, 1, &utc, monday), INT64_MAX);
}

Test(hours, are_local)
{
	struct window office = window(8, 18, EVERY_DAY);
	int64_t winter = monday, summer = forward + 90 * DAY;
	int64_t summer_day = summer - summer % DAY;
	cr_expect(is_open(office, &berlin, winter + 7 * HOUR));
	cr_expect_not(is_open(office, &berlin, winter + 17 * HOUR));
	cr_expect(is_open(office, &berlin, summer_day + 6 * HOUR));
	cr_expect_not(is_open(office, &berlin, summer_day + 16 * HOUR));
}

Test(hours, that_begin_in_the_hour_that_is_left_out_begin_after_it)
{
	struct window early = { 2 * 60 + 30, 5 * 60, EVERY_DAY };
	cr_expect_not(is_open(early, &berlin, forward - 1));
	cr_expect(is_open(early, &berlin, forward)); /* 03:00 */
	cr_expect_eq(hours_next_change(&early, 1, &berlin, forward - 2 * HOUR), forward);
	cr_expect_eq(hours_next_change(&early, 1, &berlin, forward), forward + 2 * HOUR);
}

Test(hours, count_twice_when_their_hour_comes_twice)
{
	struct window early = window(2, 3, EVERY_DAY);
	cr_expect(is_open(early, &berlin, back - HOUR));
	cr_expect(is_open(early, &berlin, back));
	cr_expect_not(is_open(early, &berlin, back + HOUR));
	/* It is open from the first 02:00 to the second 03:00. */
	cr_expect_eq(hours_next_change(&early, 1, &berlin, back - 2 * HOUR), back - HOUR);
	cr_expect_eq(hours_next_change(&early, 1, &berlin, back - HOUR), back + HOUR);
	/* The first half of it is open, closed, and open again. */
	struct window half = { 2 * 60, 2 * 60 + 30, EVERY_DAY };
	cr_expect_eq(hours_next_change(&half, 1, &berlin, back - HOUR), back - HOUR / 2);
	cr_expect_eq(hours_next_change(&half, 1, &berlin, back - HOUR / 2), back);
}

/* The next change is the first minute in which the answer is another one, whatever the windows. */
Test(hours, agree_with_a_walk_through_the_minutes)
{
	const struct window windows[] = { { 2 * 60 + 15, 2 * 60 + 45, EVERY_DAY }, window(22, 30, 0x41),
		window(3, 4, 1 << 6), window(12, 24, 0x15) };
	const int64_t starts[] = { monday, forward - 36 * HOUR, back - 36 * HOUR };
	for (size_t i = 0; i < 3; i++)
		for (int64_t now = starts[i]; now < starts[i] + 3 * DAY; now += 25 * MINUTE) {
			bool is_now = hours_are_open(windows, 4, &berlin, now);
			int64_t then = now - now % MINUTE;
			do
				then += MINUTE;
			while (hours_are_open(windows, 4, &berlin, then) == is_now);
			cr_assert_eq(hours_next_change(windows, 4, &berlin, now), then, "%lld: %lld",
				(long long)now, (long long)then);
		}
}
