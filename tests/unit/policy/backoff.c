#include <criterion/criterion.h>

#include "policy/backoff.h"

static const struct backoff_rule rule = { .delay_ms = 200, .delay_max_ms = 60000 };

/* With chance 0.5 the spread is none. */
static struct backoff_death early(uint64_t now_ms)
{
	return (struct backoff_death){ .now_ms = now_ms, .age_ms = 40, .chance = 0.5 };
}

Test(restart, waits_longer_after_each_early_death)
{
	struct backoff backoff = { 0 };
	static const uint64_t expected[] = { 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200,
		60000, 60000 };
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		struct backoff_death death = early(1000 * i);
		struct backoff_verdict verdict = backoff_on_death(&backoff, &rule, &death);
		cr_expect(verdict.is_early);
		cr_expect_eq(verdict.delay_ms, expected[i], "%zu: %lu", i, verdict.delay_ms);
	}
}

Test(restart, is_immediate_after_good_service_and_starts_over)
{
	struct backoff backoff = { 0 };
	struct backoff_death death = early(0);
	backoff_on_death(&backoff, &rule, &death);
	backoff_on_death(&backoff, &rule, &death);
	struct backoff_death healthy = { .age_ms = BACKOFF_HEALTHY_MS, .chance = 0.5 };
	cr_expect_eq(backoff_on_death(&backoff, &rule, &healthy).delay_ms, 0);
	cr_expect_eq(backoff_on_death(&backoff, &rule, &death).delay_ms, 200);
	struct backoff_death useful = { .age_ms = 3, .was_useful = true, .chance = 0.5 };
	struct backoff_verdict verdict = backoff_on_death(&backoff, &rule, &useful);
	cr_expect_eq(verdict.delay_ms, 0);
	cr_expect_not(verdict.is_early);
}

Test(restart, begins_anew_after_a_clean_exit_but_does_not_spin)
{
	struct backoff backoff = { 0 };
	struct backoff_death clean = { .age_ms = BACKOFF_CLEAN_MS, .is_clean = true, .chance = 0.5 };
	for (int i = 0; i < 5; i++)
		cr_expect_eq(backoff_on_death(&backoff, &rule, &clean).delay_ms, 200);
}

Test(restart, does_not_call_it_clean_to_end_at_once)
{
	/* A daemon that goes into the background leaves a process behind each time. */
	struct backoff backoff = { 0 };
	struct backoff_death hasty = { .age_ms = 4, .is_clean = true, .chance = 0.5 };
	cr_expect_eq(backoff_on_death(&backoff, &rule, &hasty).delay_ms, 200);
	cr_expect_eq(backoff_on_death(&backoff, &rule, &hasty).delay_ms, 400);
	cr_expect_eq(backoff_on_death(&backoff, &rule, &hasty).delay_ms, 800);
}

Test(restart, spreads_by_a_fifth_either_way)
{
	struct backoff low = { 0 }, high = { 0 };
	struct backoff_death death = early(0);
	death.chance = 0;
	cr_expect_eq(backoff_on_death(&low, &rule, &death).delay_ms, 160);
	death.chance = 1;
	cr_expect_eq(backoff_on_death(&high, &rule, &death).delay_ms, 240);
}

Test(give_up, never_by_default)
{
	struct backoff backoff = { 0 };
	for (int i = 0; i < 1000; i++) {
		struct backoff_death death = early(0);
		cr_expect_not(backoff_on_death(&backoff, &rule, &death).give_up);
	}
}

Test(give_up, counts_the_early_deaths_within_the_time)
{
	struct backoff_rule strict = rule;
	strict.give_up_deaths = 3;
	strict.give_up_within_ms = 10000;
	struct backoff backoff = { 0 };
	static const struct {
		uint64_t now_ms;
		bool give_up;
	} deaths[] = { { 0, false }, { 9000, false }, { 10001, false }, { 11000, true }, { 30000, false } };
	for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
		struct backoff_death death = early(deaths[i].now_ms);
		cr_expect_eq(backoff_on_death(&backoff, &strict, &death).give_up, deaths[i].give_up, "%zu",
			i);
	}
}
