#include <criterion/criterion.h>

#include "policy/growth.h"

Test(growth, needs_a_queue_that_stays_occupied)
{
	struct growth growth = { 0 };
	cr_expect_eq(growth_look(&growth, 5, 1, 4), GROWTH_WAIT);
	cr_expect_eq(growth_look(&growth, 1, 1, 4), GROWTH_WAIT);
	cr_expect_eq(growth_look(&growth, 0, 1, 4), GROWTH_REST);
	cr_expect_eq(growth_look(&growth, 5, 1, 4), GROWTH_WAIT);
	cr_expect_eq(growth_look(&growth, 5, 1, 4), GROWTH_WAIT);
	cr_expect_eq(growth_look(&growth, 5, 1, 4), GROWTH_GROW);
	cr_expect_eq(growth_look(&growth, 5, 2, 4), GROWTH_WAIT);
}

Test(growth, stops_at_the_limit)
{
	struct growth growth = { 0 };
	growth_look(&growth, 9, 4, 4);
	growth_look(&growth, 9, 4, 4);
	cr_expect_eq(growth_look(&growth, 9, 4, 4), GROWTH_FULL);
}

Test(shrinking, takes_what_was_idle_at_every_look_of_a_minute)
{
	struct growth growth = { 0 };
	cr_expect_eq(growth_surplus(&growth, 5, 1, 0, 1000), 0);
	cr_expect_eq(growth_surplus(&growth, 5, 1, 3, 30000), 0);
	cr_expect_eq(growth_surplus(&growth, 5, 1, 1, 60999), 0);
	cr_expect_eq(growth_surplus(&growth, 5, 1, 1, 61000), 2);
	/* and begins anew */
	cr_expect_eq(growth_surplus(&growth, 3, 1, 0, 61001), 0);
	cr_expect_eq(growth_surplus(&growth, 3, 1, 0, 121001), 2);
}

Test(shrinking, is_over_a_minute_after_the_minute_in_which_they_were_needed)
{
	/* looked at only when its time has come, as a pool without clients is */
	struct growth growth = { 0 };
	uint64_t now_ms = 1000;
	cr_expect_eq(growth_mark_left_ms(&growth, now_ms), 0);
	cr_expect_eq(growth_surplus(&growth, 4, 1, 4, now_ms), 0);
	now_ms = 16000;
	cr_expect_eq(growth_surplus(&growth, 4, 1, 0, now_ms), 0);
	cr_expect_eq(growth_mark_left_ms(&growth, now_ms), 45000);
	now_ms += growth_mark_left_ms(&growth, now_ms);
	cr_expect_eq(growth_surplus(&growth, 4, 1, 0, now_ms), 0);
	cr_expect_eq(growth_mark_left_ms(&growth, now_ms), GROWTH_MARK_MS);
	now_ms += growth_mark_left_ms(&growth, now_ms);
	cr_expect_eq(growth_surplus(&growth, 4, 1, 0, now_ms), 3);
	cr_expect_eq(now_ms, 121000);
}

Test(shrinking, keeps_the_least_number_and_whoever_is_busy)
{
	struct growth growth = { 0 };
	growth_surplus(&growth, 4, 3, 0, 1);
	cr_expect_eq(growth_surplus(&growth, 4, 3, 0, 60001), 1);
	growth_surplus(&growth, 3, 3, 0, 60002);
	cr_expect_eq(growth_surplus(&growth, 3, 3, 0, 120002), 0);
	growth_surplus(&growth, 4, 1, 9, 120003);
	cr_expect_eq(growth_surplus(&growth, 4, 1, 0, 180003), 0);
}
