#include <criterion/criterion.h>
#include <string.h>

#include "policy/announcement.h"

static enum announcement judge(size_t *n_before, const char *text)
{
	return announcement_judge(n_before, text, strlen(text));
}

Test(announcement, is_a_newline_wherever_it_stands)
{
	static const char *const texts[] = { "\n", "ready\n", "\nmore", "a\nb\n" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		size_t n_before = 0;
		cr_expect_eq(judge(&n_before, texts[i]), ANNOUNCEMENT_READY, "%s", texts[i]);
	}
}

Test(announcement, may_come_in_pieces)
{
	size_t n_before = 0;
	cr_expect_eq(judge(&n_before, "rea"), ANNOUNCEMENT_WAIT);
	cr_expect_eq(judge(&n_before, "dy"), ANNOUNCEMENT_WAIT);
	cr_expect_eq(judge(&n_before, "\n"), ANNOUNCEMENT_READY);
}

Test(announcement, does_not_come_after_the_end)
{
	size_t n_before = 0;
	cr_expect_eq(judge(&n_before, ""), ANNOUNCEMENT_ENDED);
	cr_expect_eq(judge(&n_before, "ready"), ANNOUNCEMENT_WAIT);
	cr_expect_eq(judge(&n_before, ""), ANNOUNCEMENT_ENDED);
}

Test(announcement, is_not_waited_for_without_end)
{
	char bytes[ANNOUNCEMENT_MAX];
	size_t n_before = 0;
	memset(bytes, 'x', sizeof bytes);
	cr_expect_eq(announcement_judge(&n_before, bytes, sizeof bytes - 1), ANNOUNCEMENT_WAIT);
	cr_expect_eq(announcement_judge(&n_before, bytes, 1), ANNOUNCEMENT_LOST);
}
