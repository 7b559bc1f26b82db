/* The kernel tells of ends while there are few; near a limit at any rate. */
#include <criterion/criterion.h>

#include "policy/attention.h"

static const uint64_t ms_ns = 1000000;
static struct attention attention;
static uint64_t now_ns;

static void set_up(void)
{
	attention = (struct attention){ .max = 1000 };
	now_ns = 1000000 * ms_ns;
	cr_assert_not(attention_judge(&attention, now_ns));
}

/* True: it has changed on the way. */
static bool pass(uint32_t per_second, uint32_t ms, bool is_near_limit)
{
	bool has_changed = false;
	for (uint32_t i = 1; i <= ms; i++) {
		uint32_t n = (uint32_t)((uint64_t)per_second * i / 1000 - (uint64_t)per_second * (i - 1) / 1000);
		now_ns += ms_ns;
		while (n--)
			attention_note(&attention, is_near_limit);
		has_changed |= attention_judge(&attention, now_ns);
	}
	return has_changed;
}

TestSuite(attention, .init = set_up);

Test(attention, few_are_told)
{
	cr_expect_not(pass(900, 10000, false));
	cr_expect_not(attention.is_asking);
}

Test(attention, many_are_asked_for_within_two_windows)
{
	cr_expect(pass(1100, 2 * ATTENTION_WINDOW_MS, false));
	cr_expect(attention.is_asking);
	cr_expect_not(pass(1100, 10000, false));
	cr_expect_not(pass(600, 10000, false), "between the two rates it stays as it is");
}

Test(attention, a_pause_is_no_calm_but_a_second_of_few_is)
{
	pass(5000, 100, false);
	cr_assert(attention.is_asking);
	cr_expect_not(pass(0, ATTENTION_CALM_MS / 2, false));
	cr_expect_not(pass(5000, 100, false));
	cr_expect(pass(400, ATTENTION_CALM_MS + 2 * ATTENTION_WINDOW_MS, false));
	cr_expect_not(attention.is_asking);
}

Test(attention, near_a_limit_it_tells_at_once_and_for_a_while)
{
	pass(5000, 100, false);
	cr_assert(attention.is_asking);
	attention_note(&attention, true);
	cr_expect(attention_judge(&attention, now_ns));
	cr_expect_not(attention.is_asking);
	cr_expect_not(pass(5000, ATTENTION_HOLD_MS - 1, false));
	cr_expect(pass(5000, 2 * ATTENTION_WINDOW_MS, false));
}

Test(attention, near_a_limit_it_never_asks)
{
	cr_expect_not(pass(5000, 10000, true));
	cr_expect_not(attention.is_asking);
}

Test(attention, a_long_silence_before_a_rush_does_not_hide_it)
{
	now_ns += 3600 * 1000 * ms_ns;
	cr_expect(pass(5000, 2 * ATTENTION_WINDOW_MS, false));
}

Test(attention, without_a_limit_it_always_tells)
{
	attention.max = 0;
	cr_expect_not(pass(100000, 1000, false));
}

Test(attention, of_others_twice_as_many_count)
{
	attention.n_others = 1999;
	cr_expect_not(pass(1, 5000, false));
	attention.n_others = 2000;
	cr_expect(pass(1, 2000, false));
	cr_expect(attention.is_asking);
	attention.n_others = 1000;
	cr_expect_not(pass(1, 5000, false));
	attention.n_others = 999;
	cr_expect(pass(1, 5000, false));
	cr_expect_not(attention.is_asking);
}
