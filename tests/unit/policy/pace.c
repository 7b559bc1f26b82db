/* An acceptor rests only while all whose connections it accepts have something to do. */
#include <criterion/criterion.h>

#include "policy/pace.h"

Test(pace, there_is_no_rest_without_connections_that_wait)
{
	struct pace pace = { 0 };
	cr_expect_eq(pace_take(&pace), 0);
	for (uint32_t n = 0; n < PACE_ENOUGH; n++) {
		pace_note(&pace, n);
		cr_expect_eq(pace_take(&pace), 0, "%u wait", n);
	}
}

Test(pace, the_rest_grows_with_those_that_wait_up_to_a_bound)
{
	struct pace pace = { 0 };
	uint32_t before_us = 0;
	for (uint32_t n = PACE_ENOUGH; n < 1000; n++) {
		pace_note(&pace, n);
		uint32_t rest_us = pace_take(&pace);
		cr_assert(rest_us >= before_us && rest_us > 0 && rest_us <= PACE_MOST_US);
		cr_assert(rest_us <= n * PACE_EACH_US);
		before_us = rest_us;
	}
	cr_expect_eq(before_us, PACE_MOST_US);
	pace_note(&pace, UINT32_MAX);
	cr_expect_eq(pace_take(&pace), PACE_MOST_US);
}

Test(pace, one_service_whose_workers_may_be_idle_allows_no_rest)
{
	struct pace pace = { 0 };
	pace_note(&pace, 100);
	pace_note(&pace, 1);
	pace_note(&pace, 100);
	cr_expect_eq(pace_take(&pace), 0);
}

Test(pace, of_several_the_shortest_queue_decides)
{
	struct pace pace = { 0 };
	pace_note(&pace, 100);
	pace_note(&pace, 5);
	pace_note(&pace, 50);
	cr_expect_eq(pace_take(&pace), 5 * PACE_EACH_US);
}

Test(pace, a_turn_knows_nothing_of_the_one_before)
{
	struct pace pace = { 0 };
	pace_note(&pace, 1);
	pace_take(&pace);
	pace_note(&pace, 10);
	cr_expect_gt(pace_take(&pace), 0);
	cr_expect_eq(pace_take(&pace), 0);
}
