#include <criterion/criterion.h>

#include "acceptor/uses.h"

static uint32_t uses_until_worn(struct uses *uses, int32_t pid, uint32_t max_uses)
{
	for (uint32_t n = 1; n <= max_uses; n++)
		if (uses_count(uses, pid, max_uses))
			return n;
	return 0;
}

Test(uses, each_worker_has_its_own_count_and_reaches_its_limit_once)
{
	struct uses uses = { 0 };
	for (int32_t pid = 1000; pid < 1100; pid++) {
		uint32_t n = uses_until_worn(&uses, pid, 80);
		cr_expect(n >= 70 && n <= 80, "%d: %u", pid, n);
	}
	for (int i = 0; i < 100; i++)
		cr_expect_not(uses_count(&uses, 1000, 80));
	uses_fini(&uses);
}

Test(uses, workers_that_began_together_do_not_go_together)
{
	struct uses uses = { 0 };
	uint32_t least = UINT32_MAX, most = 0;
	for (int32_t pid = 500; pid < 508; pid++) {
		uint32_t n = uses_until_worn(&uses, pid, 8000);
		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	cr_expect_geq(most - least, 500);
	uses_fini(&uses);
}

Test(uses, small_limits_are_exact)
{
	struct uses uses = { 0 };
	for (uint32_t max = 1; max < 8; max++)
		cr_expect_eq(uses_until_worn(&uses, (int32_t)(100 + max), max), max);
	uses_fini(&uses);
}

Test(uses, a_number_that_comes_again_begins_anew)
{
	struct uses uses = { 0 };
	cr_expect_eq(uses_until_worn(&uses, 7, 5), 5);
	uses_forget(&uses, 7);
	uses_forget(&uses, 8);
	cr_expect_eq(uses_until_worn(&uses, 7, 5), 5);
	uses_fini(&uses);
}
