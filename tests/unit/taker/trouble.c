/* A target that does not answer is said once, and so is that it answers again. */
#include "taker/trouble.h"

#include <criterion/criterion.h>

static struct trouble trouble;
static size_t n_failed;
static uint64_t lasted_ms;

Test(trouble, is_said_once_however_many_fail)
{
	cr_assert(trouble_failed(&trouble, 1000));
	for (uint64_t now = 1001; now < 100000; now += 100)
		cr_assert_not(trouble_failed(&trouble, now));
}

Test(trouble, its_end_says_how_many_failed_and_for_how_long)
{
	cr_assert_not(trouble_succeeded(&trouble, 500, &n_failed, &lasted_ms));
	trouble_failed(&trouble, 1000);
	trouble_failed(&trouble, 2000);
	cr_assert(trouble_succeeded(&trouble, 4000, &n_failed, &lasted_ms));
	cr_assert_eq(n_failed, 2);
	cr_assert_eq(lasted_ms, 3000);
	cr_assert_not(trouble_succeeded(&trouble, 4001, &n_failed, &lasted_ms));
}

Test(trouble, failing_and_working_by_turns_does_not_fill_the_log)
{
	int n_lines = 0;
	for (uint64_t now = 0; now < 10 * TROUBLE_QUIET_MS; now += 10) {
		n_lines += trouble_failed(&trouble, now);
		n_lines += trouble_succeeded(&trouble, now + 5, &n_failed, &lasted_ms);
	}
	cr_assert_leq(n_lines, 22);
	cr_assert_geq(n_lines, 18);
}

Test(trouble, one_that_began_quietly_is_said_when_it_lasts)
{
	trouble_failed(&trouble, 0);
	trouble_succeeded(&trouble, 1, &n_failed, &lasted_ms);
	cr_assert_not(trouble_failed(&trouble, 2));
	cr_assert(trouble_failed(&trouble, TROUBLE_QUIET_MS));
	cr_assert(trouble_succeeded(&trouble, TROUBLE_QUIET_MS + 1, &n_failed, &lasted_ms));
	cr_assert_eq(n_failed, 2);
}
