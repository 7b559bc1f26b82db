#include <criterion/criterion.h>

#include "policy/standing.h"

static void note(struct standing *standing, enum service_state state, uint64_t ill_ms, uint64_t now_ms)
{
	const struct health health = { .state = state, .ill_ms = ill_ms };
	standing_note(standing, &health, now_ms);
}

static struct standing up(void)
{
	struct standing standing;
	standing_change(&standing, STATE_UP, 1000);
	return standing;
}

Test(standing, a_change_of_state_is_told_by_whoever_makes_it)
{
	enum service_state was;
	struct standing standing = up();
	cr_expect_eq(standing.since_ms, 1000);
	note(&standing, STATE_UP, 0, 5000);
	cr_expect_eq(standing.since_ms, 1000);
	cr_expect_not(standing_tell(&standing, &was));
	cr_expect_not(standing_is_open(&standing, STATE_UP));
}

Test(standing, an_illness_began_when_the_facts_say_and_is_told_at_once)
{
	enum service_state was;
	struct standing standing = up();
	note(&standing, STATE_DEGRADED, 3000, 60000);
	cr_expect_eq(standing.since_ms, 57000);
	cr_expect(standing_is_open(&standing, STATE_UP));
	cr_expect(standing_tell(&standing, &was));
	cr_expect_eq(was, STATE_UP);
	/* However the facts go on. */
	note(&standing, STATE_DEGRADED, 9000, 61000);
	cr_expect_eq(standing.since_ms, 57000);
	cr_expect_not(standing_tell(&standing, &was));
	cr_expect(standing_is_open(&standing, STATE_UP), "it is to be seen when it is well again");
}

Test(standing, what_is_well_again_is_shown_at_once_and_told_when_it_lasts)
{
	enum service_state was;
	struct standing standing = up();
	note(&standing, STATE_DEGRADED, 0, 10000);
	cr_expect(standing_tell(&standing, &was));
	note(&standing, STATE_UP, 0, 20000);
	cr_expect_eq(standing.since_ms, 20000);
	for (int i = 1; i < STANDING_WELL_LOOKS; i++)
		cr_expect_not(standing_tell(&standing, &was));
	cr_expect(standing_tell(&standing, &was));
	cr_expect_eq(was, STATE_DEGRADED);
	cr_expect_not(standing_is_open(&standing, STATE_UP));
}

Test(standing, going_to_and_fro_is_told_once)
{
	enum service_state was;
	struct standing standing = up();
	unsigned n_told = 0;
	for (uint64_t now_ms = 10000; now_ms < 100000; now_ms += 4000) {
		note(&standing, STATE_DEGRADED, 0, now_ms);
		n_told += standing_tell(&standing, &was);
		note(&standing, STATE_UP, 0, now_ms + 2000);
		n_told += standing_tell(&standing, &was);
		n_told += standing_tell(&standing, &was);
	}
	cr_expect_eq(n_told, 1);
}

Test(standing, a_change_of_state_ends_the_illness)
{
	enum service_state was;
	struct standing standing = up();
	note(&standing, STATE_DEGRADED, 0, 10000);
	standing_change(&standing, STATE_DRAINING, 11000);
	cr_expect_not(standing_tell(&standing, &was));
	cr_expect_eq(standing.since_ms, 11000);
}
