/* The promises of the scoreboard. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/scoreboard.h"

static int fd = -1;
static struct scoreboard *board;

static void setup(void)
{
	cr_assert_eq(scoreboard_create(&fd, &board), 0);
}

static void teardown(void)
{
	scoreboard_unmap(board);
	close(fd);
}

TestSuite(scoreboard, .init = setup, .fini = teardown);

Test(scoreboard, shows_in_one_mapping_what_was_written_in_another)
{
	struct scoreboard *other;
	cr_assert_eq(scoreboard_map(fd, &other), 0);
	score_add(board->slots[SCOREBOARD_SLOTS - 1].score.accepted, 5);
	cr_expect_eq(score_get(other->slots[SCOREBOARD_SLOTS - 1].score.accepted), 5);
	scoreboard_unmap(other);
}

Test(scoreboard, cannot_be_shrunk_under_its_readers)
{
	cr_expect_lt(ftruncate(fd, 0), 0);
	cr_expect_lt(ftruncate(fd, 2 * sizeof(struct scoreboard)), 0);
}

Test(scoreboard, takes_nothing_else_for_a_scoreboard)
{
	struct scoreboard *other;
	int small = memfd_create("small", MFD_CLOEXEC);
	cr_expect_eq(scoreboard_map(small, &other), -EINVAL);
	close(small);
	cr_expect_eq(scoreboard_map(-1, &other), -EBADF);
}

Test(scoreboard, clears_one_row_only)
{
	score_set(scoreboard_take_row(board, 1)->live, 1);
	score_set(scoreboard_take_row(board, 2)->live, 2);
	score_set(board->slots[2].score.rate_milli, 2);
	scoreboard_clear(board, 2);
	cr_expect_eq(score_get(board->slots[1].score.live), 1);
	cr_expect_eq(score_get(board->slots[2].score.live), 0);
	cr_expect_eq(score_get(board->slots[2].score.rate_milli), 0);
}

/* How much memory the board has come to. */
static long blocks_of(int board_fd)
{
	struct stat status;
	cr_assert_eq(fstat(board_fd, &status), 0);
	return (long)status.st_blocks;
}

Test(scoreboard, a_row_that_nobody_has_taken_costs_nothing)
{
	long n_blocks = blocks_of(fd);
	for (uint32_t i = SCOREBOARD_PAGE_ROWS; i < SCOREBOARD_SLOTS; i++) {
		cr_expect_not(scoreboard_has_row(board, i));
		cr_expect_eq(score_get(scoreboard_row(board, i)->accepted), 0);
		scoreboard_clear(board, i);
	}
	cr_expect_eq(blocks_of(fd), n_blocks);
	score_set(scoreboard_take_row(board, SCOREBOARD_SLOTS - 1)->accepted, 5);
	cr_expect_eq(score_get(scoreboard_row(board, SCOREBOARD_SLOTS - 1)->accepted), 5);
	cr_expect_gt(blocks_of(fd), n_blocks);
}

Test(scoreboard, a_row_is_there_for_all_who_map_it)
{
	struct scoreboard *other;
	cr_assert_eq(scoreboard_map(fd, &other), 0);
	for (uint32_t i = 0; i < SCOREBOARD_SLOTS; i += 16) {
		cr_expect_not(scoreboard_has_row(other, i));
		score_set(scoreboard_take_row(board, i)->live, i + 1);
		cr_expect(scoreboard_has_row(other, i));
		cr_expect_eq(score_get(scoreboard_row(other, i)->live), i + 1);
	}
	scoreboard_unmap(other);
}

/* An acceptor that is older than the marks goes on through an upgrade. */
Test(scoreboard, of_an_older_version_has_all_its_rows)
{
	score_set(board->head.has_marks, 0);
	score_set(board->slots[300].score.live, 3);
	cr_expect(scoreboard_has_row(board, 300));
	cr_expect_eq(score_get(scoreboard_row(board, 300)->live), 3);
	scoreboard_clear(board, 300);
	cr_expect_eq(score_get(board->slots[300].score.live), 0);
}

Test(scoreboard, comes_to_the_true_rate_and_decays_to_none)
{
	struct score *score = &board->slots[0].score;
	uint64_t now_ns = 1;
	for (int i = 0; i < 6000; i++)
		score_count_rate(score, now_ns += 10000000);
	cr_expect_float_eq(score_rate(score, now_ns), 100, 2);
	cr_expect_float_eq(score_rate(score, now_ns + UINT64_C(10000000000)), 36.8, 1);
	cr_expect_lt(score_rate(score, now_ns + UINT64_C(200000000000)), 0.01);
}

Test(scoreboard, rate_survives_a_clock_that_stands_still)
{
	struct score *score = &board->slots[0].score;
	for (int i = 0; i < 10; i++)
		score_count_rate(score, 5);
	cr_expect_float_eq(score_rate(score, 5), 1, 0.1);
	cr_expect_float_eq(score_rate(score, 4), 1, 0.1);
}

Test(scoreboard, a_rule_that_refuses_keeps_its_name_and_no_number_is_too_large)
{
	static const char *const names[] = { "allow", "deny", "hours", "max_load", "max_connections",
		"max_per_source", "rate", "rate_per_source", "memory", "stopped" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		cr_expect_str_eq(score_rule_name(score_rule_of(names[i])), names[i]);
	cr_expect_eq(score_rule_of("nonsense"), 0);
	cr_expect_null(score_rule_name(0));
	cr_expect_null(score_rule_name(11));
	cr_expect_null(score_rule_name(UINT32_MAX));
}
