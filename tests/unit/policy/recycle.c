#include <criterion/criterion.h>

#include "policy/recycle.h"

enum { LIMIT = 1000 };

Test(recycle, takes_nobody_who_is_within_the_limit)
{
	const struct recycle_worker workers[] = { { 1000, 1.0 }, { 0, 1.0 }, { 1099, 1.1 } };
	cr_expect_eq(recycle_choose(workers, 3, LIMIT), 3);
	cr_expect_eq(recycle_choose(NULL, 0, LIMIT), 0);
}

Test(recycle, takes_the_one_furthest_above_its_own_limit)
{
	const struct recycle_worker workers[] = { { 1050, 1.1 }, { 950, 0.9 }, { 1200, 1.1 }, { 1010, 1.0 } };
	cr_expect_eq(recycle_choose(workers, 4, LIMIT), 2);
	cr_expect_eq(recycle_choose(workers, 2, LIMIT), 1);
	cr_expect_eq(recycle_choose(workers, 1, LIMIT), 1);
}

Test(recycle, takes_nobody_while_another_comes_or_goes)
{
	const struct recycle_worker workers[] = { { 5000, 1.0 }, { 10, 1.0, .is_changing = true } };
	cr_expect_eq(recycle_choose(workers, 2, LIMIT), 2);
	cr_expect_eq(recycle_choose(workers, 1, LIMIT), 0);
}

Test(recycle, spreads_the_limit_by_a_tenth)
{
	cr_expect_eq(recycle_limit(LIMIT, recycle_share(0)), 900);
	cr_expect_eq(recycle_limit(LIMIT, recycle_share(0.5)), 1000);
	cr_expect_eq(recycle_limit(LIMIT, recycle_share(1)), 1100);
}
