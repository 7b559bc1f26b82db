/* The promises of episodes. */
#include <criterion/criterion.h>

#include "acceptor/episode.h"

static struct episodes episodes;

static void teardown(void)
{
	episodes_fini(&episodes);
}

TestSuite(episode, .fini = teardown);

Test(episode, begins_once_however_often_it_happens)
{
	cr_expect(episode_happened(&episodes, EPISODE_RATE, 1));
	cr_expect_not(episode_happened(&episodes, EPISODE_RATE, 2));
	cr_expect(episode_happened(&episodes, EPISODE_QUEUE, 2));
}

Test(episode, ends_when_it_has_not_happened_for_a_while)
{
	enum episode_kind kind;
	struct episode episode;
	episode_happened(&episodes, EPISODE_RATE, 100);
	episode_happened(&episodes, EPISODE_RATE, 200);
	episode_refused(&episodes, EPISODE_RATE);
	cr_assert_eq(episodes_check_ns(&episodes), 200 + EPISODE_QUIET_NS);
	cr_expect_not(episodes_end_one(&episodes, 199 + EPISODE_QUIET_NS, &kind, &episode));
	cr_assert(episodes_end_one(&episodes, 200 + EPISODE_QUIET_NS, &kind, &episode));
	cr_expect_eq(kind, EPISODE_RATE);
	cr_expect_eq(episode.begin_ns, 100);
	cr_expect_eq(episode.n_times, 2);
	cr_expect_eq(episode.n_refused, 1);
	cr_expect_not(episodes_end_one(&episodes, UINT64_MAX, &kind, &episode));
}

Test(episode, lasts_as_long_as_its_pause)
{
	episode_happened(&episodes, EPISODE_QUEUE, 100);
	episode_lasts(&episodes, EPISODE_QUEUE, 1000);
	cr_expect_eq(episodes_check_ns(&episodes), 1000 + EPISODE_QUIET_NS);
}

Test(episode, costs_nothing_when_there_is_none)
{
	enum episode_kind kind;
	struct episode episode;
	episode_lasts(&episodes, EPISODE_RATE, 1);
	episode_refused(&episodes, EPISODE_RATE);
	cr_expect_null(episodes.kinds);
	episode_happened(&episodes, EPISODE_RATE, 1);
	cr_expect(episodes_end_one(&episodes, UINT64_C(1) << 62, &kind, &episode));
	cr_expect_null(episodes.kinds);
	cr_expect_eq(episodes_check_ns(&episodes), UINT64_MAX);
}
