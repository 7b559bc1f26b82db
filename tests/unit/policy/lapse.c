/* Whose time is over: what is known decides, and what is not known ends nothing. */
#include <criterion/criterion.h>

#include "policy/lapse.h"

static const uint64_t ms = 1000000, start_ns = UINT64_C(7000000000);

static struct lapse_facts after_ms(uint64_t now_ms)
{
	return (struct lapse_facts){
		.now_ns = start_ns + now_ms * ms,
		.accepted_ns = start_ns,
		.handed_ns = start_ns,
	};
}

static void expect(const struct lapse_limits *limits, const struct lapse_facts *facts,
	enum severance reason, uint64_t look_ns)
{
	uint64_t look = 1;
	cr_expect_eq(lapse_judge(limits, facts, &look), reason);
	if (reason == SEVERANCE_NONE)
		cr_expect_eq(look, look_ns);
	else
		cr_expect_eq(look, 1, "nothing more is to be looked at");
}

Test(lapse, without_limits_nothing_is_ever_over)
{
	struct lapse_limits limits = { 0 };
	struct lapse_facts facts = after_ms(1000000);
	facts.has_bytes = facts.has_idle = true;
	facts.idle_ms = 1000000;
	expect(&limits, &facts, SEVERANCE_NONE, LAPSE_NEVER_NS);
	cr_expect_eq(lapse_shortest_ns(&limits), LAPSE_NEVER_NS);
	cr_expect_eq(lapse_first_look_ns(&limits, start_ns, start_ns), LAPSE_NEVER_NS);
	cr_expect_not(lapse_has_limits(&limits));
}

Test(lapse, the_first_look_is_at_the_first_of_them)
{
	struct lapse_limits limits = { .first_byte_ms = 300, .silence_ms = 200, .duration_ms = 400 };
	cr_expect_eq(lapse_shortest_ns(&limits), 200 * ms);
	cr_expect_eq(lapse_first_look_ns(&limits, start_ns, start_ns), start_ns + 200 * ms);
	/* It waited for its hand-off: that is not the client's silence, but it is duration. */
	cr_expect_eq(
		lapse_first_look_ns(&limits, start_ns, start_ns + 350 * ms), start_ns + 400 * ms);
}

Test(lapse, who_sends_nothing_is_out_when_the_time_has_come)
{
	struct lapse_limits limits = { .first_byte_ms = 300 };
	struct lapse_facts facts = after_ms(299);
	facts.has_bytes = true;
	expect(&limits, &facts, SEVERANCE_NONE, start_ns + 300 * ms);
	facts = after_ms(300);
	facts.has_bytes = true;
	expect(&limits, &facts, SEVERANCE_FIRST_BYTE, 0);
	facts.handed_ns += 10 * ms;
	expect(&limits, &facts, SEVERANCE_NONE, start_ns + 310 * ms);
}

Test(lapse, one_byte_is_enough_for_ever)
{
	struct lapse_limits limits = { .first_byte_ms = 300 };
	struct lapse_facts facts = after_ms(100000);
	facts.has_bytes = true;
	facts.bytes_in = 1;
	expect(&limits, &facts, SEVERANCE_NONE, LAPSE_NEVER_NS);
}

Test(lapse, traffic_moves_the_end_of_silence_on)
{
	struct lapse_limits limits = { .silence_ms = 500 };
	struct lapse_facts facts = after_ms(900);
	facts.has_idle = true;
	facts.idle_ms = 100;
	expect(&limits, &facts, SEVERANCE_NONE, start_ns + (800 + 500) * ms);
	facts.idle_ms = 499;
	expect(&limits, &facts, SEVERANCE_NONE, start_ns + (401 + 500) * ms);
	facts.idle_ms = 500;
	expect(&limits, &facts, SEVERANCE_SILENCE, 0);
}

Test(lapse, silence_before_the_hand_off_does_not_count)
{
	struct lapse_limits limits = { .silence_ms = 500 };
	struct lapse_facts facts = after_ms(900);
	facts.has_idle = true;
	facts.idle_ms = 5000000; /* longer than the clock has run */
	facts.handed_ns = start_ns + 600 * ms;
	expect(&limits, &facts, SEVERANCE_NONE, start_ns + 1100 * ms);
}

Test(lapse, duration_counts_from_acceptance_whatever_passes)
{
	struct lapse_limits limits = { .duration_ms = 1000, .silence_ms = 700 };
	struct lapse_facts facts = after_ms(999);
	facts.handed_ns += 500 * ms;
	facts.has_idle = true;
	expect(&limits, &facts, SEVERANCE_NONE, start_ns + 1000 * ms);
	facts.now_ns += ms;
	expect(&limits, &facts, SEVERANCE_DURATION, 0);
}

Test(lapse, what_is_not_known_ends_nothing)
{
	struct lapse_limits limits = { .first_byte_ms = 10, .silence_ms = 10, .duration_ms = 5000 };
	struct lapse_facts facts = after_ms(2000);
	expect(&limits, &facts, SEVERANCE_NONE, start_ns + 5000 * ms);
}
