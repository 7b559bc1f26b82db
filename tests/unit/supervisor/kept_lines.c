#include "supervisor/log/kept_lines.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct kept_lines *lines, unsigned n)
{
	char text[16];
	snprintf(text, sizeof text, "line %u", n);
	cr_assert(kept_lines_add(lines, 1000 + n, 6, text));
}

static unsigned count(const struct kept_line *line)
{
	unsigned n = 0;
	for (; line; line = line->newer)
		n++;
	return n;
}

Test(kept_lines, nothing_written_is_nothing_kept)
{
	struct kept_lines lines = { 0 };
	cr_expect_null(kept_lines_last(&lines, 10));
	kept_lines_fini(&lines);
}

Test(kept_lines, they_are_the_same_in_another_program)
{
	struct kept_lines lines = { 0 }, again = { 0 };
	size_t size;
	cr_expect_null(kept_lines_save(&lines, 10, &size));
	for (unsigned n = 0; n < 5; n++)
		add(&lines, n);
	char *bytes = kept_lines_save(&lines, 3, &size);
	cr_assert_not_null(bytes);
	cr_assert_eq(kept_lines_restore(&again, bytes, size), 0);
	cr_expect_eq(again.n, 3);
	cr_expect_str_eq(again.oldest->text, "line 2");
	cr_expect_str_eq(again.newest->text, "line 4");
	cr_expect_eq(again.newest->at, 1004);
	cr_expect_eq(again.newest->level, 6);
	for (size_t cut = 1; cut < size; cut++) {
		struct kept_lines part = { 0 };
		int r = kept_lines_restore(&part, bytes, cut);
		cr_expect(r == -EBADMSG || (r == 0 && part.n < 3), "%zu of %zu", cut, size);
		kept_lines_fini(&part);
	}
	bytes[size - 1] = 'x';
	cr_expect_eq(kept_lines_restore(&again, bytes, size), -EBADMSG, "a text without an end");
	free(bytes);
	kept_lines_fini(&lines);
	kept_lines_fini(&again);
}

Test(kept_lines, the_last_ones_come_in_their_order)
{
	struct kept_lines lines = { 0 };
	for (unsigned i = 0; i < 10; i++)
		add(&lines, i);
	const struct kept_line *line = kept_lines_last(&lines, 3);
	cr_expect_str_eq(line->text, "line 7");
	cr_expect_eq(line->at, 1007);
	cr_expect_eq(count(line), 3);
	cr_expect_str_eq(lines.newest->text, "line 9");
	cr_expect_eq(count(kept_lines_last(&lines, 100)), 10);
	cr_expect_null(kept_lines_last(&lines, 0));
	kept_lines_fini(&lines);
	cr_expect(!lines.oldest && !lines.newest && !lines.n && !lines.bytes);
}

Test(kept_lines, are_bounded_in_number)
{
	struct kept_lines lines = { 0 };
	for (unsigned i = 0; i < 3 * KEPT_LINES_MAX; i++)
		add(&lines, i);
	cr_expect_eq(lines.n, KEPT_LINES_MAX);
	cr_expect_eq(count(lines.oldest), KEPT_LINES_MAX);
	cr_expect_eq(lines.oldest->at, 1000 + 2 * KEPT_LINES_MAX);
	kept_lines_fini(&lines);
}

Test(kept_lines, are_bounded_in_bytes_and_the_last_one_always_stays)
{
	struct kept_lines lines = { 0 };
	char *text = malloc(2 * KEPT_BYTES_MAX);
	memset(text, 'x', 2000);
	text[2000] = 0;
	for (unsigned i = 0; i < 100; i++)
		kept_lines_add(&lines, i, 6, text);
	cr_expect_leq(lines.bytes, KEPT_BYTES_MAX);
	cr_expect_gt(lines.bytes, KEPT_BYTES_MAX - 3000);
	memset(text, 'y', 2 * KEPT_BYTES_MAX - 1);
	text[2 * KEPT_BYTES_MAX - 1] = 0;
	kept_lines_add(&lines, 1, 6, text);
	cr_expect_eq(lines.n, 1);
	cr_expect_eq(lines.newest->text[0], 'y');
	kept_lines_fini(&lines);
	free(text);
}
