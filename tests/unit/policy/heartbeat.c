/* Who has nothing to do is asked, and only who does not answer hangs. */
#include <criterion/criterion.h>

#include "policy/heartbeat.h"

enum { LOOK = HEARTBEAT_LOOK_MS };

static struct heartbeat heartbeat;

TestSuite(heartbeat);

Test(heartbeat, one_that_turns_is_not_asked)
{
	for (uint64_t now = 100000; now < 200000; now += LOOK)
		cr_assert_eq(heartbeat_look(&heartbeat, now, now - LOOK / 2, false), HEARTBEAT_FINE);
}

Test(heartbeat, one_that_answers_whenever_it_is_asked_never_hangs)
{
	uint64_t turned = 100000;
	/* The timer is late each time, by a millisecond or many. */
	for (uint64_t now = turned + LOOK + 1; now < 500000; now += LOOK + now % 700) {
		enum heartbeat_verdict verdict = heartbeat_look(&heartbeat, now, turned, true);
		cr_assert_neq(verdict, HEARTBEAT_HANGS);
		if (verdict == HEARTBEAT_ASK)
			turned = now + 1;
	}
}

Test(heartbeat, one_that_turns_without_answering_is_only_busy)
{
	uint64_t now = 100000;
	cr_assert_eq(heartbeat_look(&heartbeat, now, 50000, false), HEARTBEAT_ASK);
	for (int i = 0; i < 10; i++) {
		now += LOOK;
		cr_assert_neq(heartbeat_look(&heartbeat, now, now - 1, false), HEARTBEAT_HANGS);
	}
}

Test(heartbeat, one_that_does_not_answer_hangs)
{
	uint64_t turned = 50000, now = 100000;
	cr_assert_eq(heartbeat_look(&heartbeat, now, turned, true), HEARTBEAT_ASK);
	for (int i = 1; i < HEARTBEAT_MISSED_MAX; i++)
		cr_assert_eq(heartbeat_look(&heartbeat, now += LOOK, turned, false), HEARTBEAT_FINE);
	cr_assert_eq(heartbeat_look(&heartbeat, now + LOOK, turned, false), HEARTBEAT_HANGS);
}

Test(heartbeat, a_late_answer_counts)
{
	cr_assert_eq(heartbeat_look(&heartbeat, 100000, 50000, true), HEARTBEAT_ASK);
	cr_assert_eq(heartbeat_look(&heartbeat, 102000, 50000, false), HEARTBEAT_FINE);
	cr_assert_eq(heartbeat_look(&heartbeat, 104000, 103999, true), HEARTBEAT_FINE);
	cr_assert_eq(heartbeat_look(&heartbeat, 106001, 104000, true), HEARTBEAT_ASK);
	cr_assert_eq(heartbeat_look(&heartbeat, 108001, 104000, false), HEARTBEAT_FINE);
	cr_assert_eq(heartbeat_look(&heartbeat, 110001, 104000, false), HEARTBEAT_HANGS);
}
