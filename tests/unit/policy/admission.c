/* The promises of admission, with made-up clients and times. */
#include <criterion/criterion.h>

#include "policy/admission.h"
#include "wire/scoreboard.h"

static const uint64_t s = 1000000000;

static struct admission admission;

static void setup(void)
{
	admission_init(&admission, 0x5eed);
}

static void teardown(void)
{
	admission_fini(&admission);
}

TestSuite(admission, .init = setup, .fini = teardown);

static void set_limits(struct admission_limits given)
{
	static struct admission_limits limits; /* they must live on */
	limits = given;
	if (!limits.held_max)
		limits.held_max = 16;
	cr_assert_eq(admission_set_limits(&admission, &limits, s), 0);
}

static uint32_t place_of(uint8_t host)
{
	struct endpoint peer = { .family = AF_INET, .ip = { 192, 0, 2, host } };
	return admission_source(&admission, &peer, s);
}

static struct admission_answer arrive(uint8_t host, uint64_t now_ns)
{
	struct endpoint peer = { .family = AF_INET, .ip = { 192, 0, 2, host } };
	return admission_arrive(&admission, admission_source(&admission, &peer, now_ns), now_ns);
}

static enum admission_verdict verdict(uint8_t host)
{
	return arrive(host, s).verdict;
}

static uint32_t gate(uint64_t now_ns)
{
	uint64_t open_ns;
	return admission_gate(&admission, now_ns, &open_ns);
}

Test(admission, without_limits_admits_everybody)
{
	set_limits((struct admission_limits){ 0 });
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(verdict(1), ADMISSION_ADMIT);
	cr_expect_eq(gate(s), 0);
}

Test(admission, closes_the_gate_at_max_connections_until_one_ends)
{
	set_limits((struct admission_limits){ .max_connections = 2 });
	verdict(1);
	cr_expect_eq(gate(s), 0);
	verdict(2);
	cr_expect_eq(gate(s), SCORE_PAUSED_FULL);
	admission_end(&admission, SOURCE_CROWD, s);
	cr_expect_eq(gate(s), 0);
}

Test(admission, counts_connections_that_another_acceptor_left)
{
	set_limits((struct admission_limits){ .max_connections = 2 });
	admission_set_unknown(&admission, 2);
	cr_expect_eq(gate(s), SCORE_PAUSED_FULL);
	admission_set_unknown(&admission, 1);
	cr_expect_eq(gate(s), 0);
}

Test(admission, closes_the_gate_without_a_token_until_the_next_is_due)
{
	uint64_t open_ns;
	set_limits((struct admission_limits){ .rate = bucket_rule(10, 1000, 2) });
	verdict(1);
	verdict(1);
	cr_expect_eq(admission_gate(&admission, s, &open_ns), SCORE_PAUSED_RATE);
	cr_expect_eq(open_ns, s + s / 10);
	cr_expect_eq(gate(open_ns), 0);
}

Test(admission, refuses_instead_of_pausing_if_told_so)
{
	set_limits((struct admission_limits){ .max_connections = 1, .overflow = OVERFLOW_REFUSE });
	verdict(1);
	cr_expect_eq(gate(s), 0);
	struct admission_answer answer = arrive(2, s);
	cr_expect_eq(answer.verdict, ADMISSION_REFUSE);
	cr_expect_eq(answer.limit, ADMISSION_MAX_CONNECTIONS);
	cr_expect_str_eq(admission_limit_key(answer.limit), "max_connections");
}

Test(admission, a_refused_connection_costs_no_token)
{
	set_limits((struct admission_limits){
		.max_per_source = 1,
		.rate = bucket_rule(1, 1000, 2),
		.overflow = OVERFLOW_RESET,
	});
	verdict(1);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(arrive(1, s).limit, ADMISSION_MAX_PER_SOURCE);
	cr_expect_eq(verdict(2), ADMISSION_ADMIT);
	cr_expect_eq(arrive(3, s).limit, ADMISSION_RATE);
}

Test(admission, holds_a_source_above_its_limit_and_lets_others_pass)
{
	uint64_t again_ns;
	set_limits((struct admission_limits){ .max_per_source = 1 });
	uint32_t first = place_of(1);
	cr_expect_eq(verdict(1), ADMISSION_ADMIT);
	cr_expect_eq(verdict(1), ADMISSION_HOLD);
	cr_expect_eq(verdict(2), ADMISSION_ADMIT);
	cr_expect_eq(admission_retry(&admission, first, s, &again_ns).verdict, ADMISSION_HOLD);
	cr_expect_eq(again_ns, UINT64_MAX);
	cr_expect(admission_end(&admission, first, s));
	cr_expect_eq(admission_retry(&admission, first, s, &again_ns).verdict, ADMISSION_ADMIT);
	cr_expect_eq(admission.held, 0);
}

Test(admission, holds_until_the_source_has_a_token_again)
{
	uint64_t again_ns;
	set_limits((struct admission_limits){ .rate_per_source = bucket_rule(1, 1000, 1) });
	uint32_t first = place_of(1);
	verdict(1);
	struct admission_answer answer = arrive(1, s);
	cr_expect_eq(answer.verdict, ADMISSION_HOLD);
	cr_expect_eq(answer.limit, ADMISSION_RATE_PER_SOURCE);
	admission_retry(&admission, first, s, &again_ns);
	cr_expect_eq(again_ns, 2 * s);
	cr_expect_eq(
		admission_retry(&admission, first, again_ns, &again_ns).verdict, ADMISSION_ADMIT);
}

Test(admission, lets_nobody_overtake_those_of_the_same_source)
{
	set_limits((struct admission_limits){ .max_per_source = 1 });
	uint32_t first = place_of(1);
	verdict(1);
	verdict(1);
	admission_end(&admission, first, s);
	cr_expect_eq(verdict(1), ADMISSION_HOLD);
}

Test(admission, of_a_flood_the_newest_goes_first_and_takes_the_place_of_the_oldest)
{
	set_limits((struct admission_limits){ .rate_per_source = bucket_rule(4, 1000, 1), .held_max = 32 });
	uint32_t first = place_of(1);
	verdict(1);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(verdict(1), ADMISSION_HOLD);
	cr_expect_not(admission_is_flooding(&admission, first), "four are served within a second");
	cr_expect_eq(verdict(1), ADMISSION_HOLD);
	cr_expect(admission_is_flooding(&admission, first));
	while (verdict(1) == ADMISSION_HOLD)
		;
	uint32_t n_held = admission.held;
	cr_expect_eq(verdict(1), ADMISSION_HOLD_NEWEST);
	admission_give_up(&admission, first, s);
	admission_give_up(&admission, first, s);
	cr_expect_eq(admission.held, n_held - 1);
	/* It need not wait behind those that were there before. */
	cr_expect_eq(arrive(1, s + s / 4).verdict, ADMISSION_ADMIT);
	cr_expect_eq(verdict(2), ADMISSION_ADMIT);
}

static unsigned flood(uint8_t host)
{
	unsigned n_held = 0;
	for (int i = 0; i < 200; i++)
		n_held += verdict(host) == ADMISSION_HOLD;
	return n_held;
}

Test(admission, gives_one_flooding_source_less_than_half_of_the_places)
{
	set_limits((struct admission_limits){ .max_per_source = 1, .held_max = 32 });
	cr_expect_eq(flood(1), 12);
	cr_expect_eq(gate(s), 0);
}

Test(admission, leaves_a_place_for_a_newcomer_while_many_flood)
{
	set_limits((struct admission_limits){ .max_per_source = 1, .held_max = 32 });
	for (uint8_t host = 1; host <= 8; host++)
		flood(host);
	verdict(100);
	cr_expect_eq(verdict(100), ADMISSION_HOLD);
	cr_expect_eq(gate(s), 0);
}

Test(admission, pauses_when_no_place_is_left)
{
	set_limits((struct admission_limits){ .max_per_source = 1, .held_max = 16 });
	for (uint8_t host = 1; host <= 30; host++)
		flood(host);
	cr_expect_eq(gate(s), SCORE_PAUSED_HELD);
	admission_give_up(&admission, place_of(1), s);
	cr_expect_eq(gate(s), 0);
}

Test(admission, held_connections_do_not_use_up_max_connections)
{
	set_limits((struct admission_limits){ .max_connections = 4, .max_per_source = 1 });
	flood(1);
	cr_expect_eq(gate(s), 0);
	cr_expect_eq(verdict(2), ADMISSION_ADMIT);
}

Test(admission, a_raised_limit_reaches_those_that_wait)
{
	uint64_t again_ns;
	set_limits((struct admission_limits){ .max_per_source = 1 });
	verdict(1);
	verdict(1);
	set_limits((struct admission_limits){ .max_per_source = 2 });
	cr_expect_eq(
		admission_retry(&admission, place_of(1), s, &again_ns).verdict, ADMISSION_ADMIT);
}

Test(admission, survives_limits_that_come_and_go_under_live_connections)
{
	set_limits((struct admission_limits){ 0 });
	verdict(1);
	verdict(1);
	set_limits((struct admission_limits){ .max_per_source = 1 });
	cr_expect_eq(verdict(1), ADMISSION_ADMIT);
	set_limits((struct admission_limits){ 0 });
	admission_end(&admission, SOURCE_CROWD, s);
	admission_end(&admission, SOURCE_CROWD, s);
	set_limits((struct admission_limits){ .max_per_source = 1 });
	cr_expect_eq(verdict(2), ADMISSION_ADMIT);
	cr_expect_eq(admission.live, 2);
	cr_expect_eq(admission.sources->crowd.live, 0);
}

Test(admission, has_room_for_so_many_as_no_limit_could_meet)
{
	set_limits((struct admission_limits){ 0 });
	cr_expect(admission_has_room(&admission, UINT32_MAX));
	set_limits((struct admission_limits){ .max_connections = 10 });
	cr_expect(admission_has_room(&admission, 10));
	cr_expect_not(admission_has_room(&admission, 11));
	for (int i = 0; i < 4; i++)
		cr_assert_eq(verdict(1), ADMISSION_ADMIT);
	cr_expect(admission_has_room(&admission, 6));
	cr_expect_not(admission_has_room(&admission, 7));
	admission_set_unknown(&admission, 3);
	cr_expect(admission_has_room(&admission, 3));
	cr_expect_not(admission_has_room(&admission, 4));
}

Test(admission, has_room_for_so_many_as_the_busiest_source_may_have_more)
{
	set_limits((struct admission_limits){ .max_per_source = 10 });
	for (uint8_t host = 1; host <= 20; host++)
		cr_assert_eq(verdict(host), ADMISSION_ADMIT);
	cr_assert_eq(verdict(7), ADMISSION_ADMIT);
	cr_expect(admission_has_room(&admission, 8));
	cr_expect_not(admission_has_room(&admission, 9));
}

Test(admission, has_no_room_while_somebody_waits_for_some)
{
	set_limits((struct admission_limits){ .max_per_source = 1, .overflow = OVERFLOW_WAIT });
	cr_assert_eq(verdict(1), ADMISSION_ADMIT);
	cr_assert_eq(verdict(1), ADMISSION_HOLD);
	cr_expect_not(admission_has_room(&admission, 0));
}
