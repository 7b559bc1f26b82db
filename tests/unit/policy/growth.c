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
