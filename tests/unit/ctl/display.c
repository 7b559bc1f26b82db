#include "ctl/display.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define CJK     "\xe6\x9c\x8d"     /* two columns */
#define E_ACUTE "e\xcc\x81"        /* one column, two characters */
#define FAMILY  "\xf0\x9f\x91\xa8" /* two columns, four bytes */

static void set_locale(void)
{
	cr_assert(setlocale(LC_CTYPE, "C.UTF-8"));
}

TestSuite(display, .init = set_locale);

Test(display, width_counts_columns)
{
	static const struct {
		const char *text;
		unsigned width;
	} cases[] = {
		{ "", 0 },
		{ "abc", 3 },
		{ CJK, 2 },
		{ "a" CJK "b", 4 },
		{ E_ACUTE, 1 },
		{ FAMILY, 2 },
		{ "\xc3\xa9", 1 },
		{ "●", 1 },
		{ "…", 1 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(display_width(cases[i].text), cases[i].width, "%s", cases[i].text);
}

static void expect_clean(const char *text, bool is_utf8, const char *wanted)
{
	char *clean = display_clean(text, is_utf8);
	cr_expect_str_eq(clean, wanted, "%s instead of %s", clean, wanted);
	free(clean);
}

Test(display, clean_text_controls_nothing)
{
	expect_clean("plain", true, "plain");
	expect_clean("\033[2J\r\n\t\177", true, "\\x1b[2J\\x0d\\x0a\\x09\\x7f");
	expect_clean("\xc2\x9b", true, "\\xc2\\x9b");
	expect_clean("\xff" CJK, true, "\\xff" CJK);
	expect_clean("\xe2\x80\xae", true, "\\xe2\\x80\\xae");
}

Test(display, what_the_daemon_escaped_is_not_escaped_again)
{
	expect_clean("\\x1b[0m", true, "\\x1b[0m");
	expect_clean("a\\b\\", true, "a\\b\\");
}

Test(display, a_terminal_without_the_characters_gets_question_marks)
{
	expect_clean("a" CJK "\xc3\xa9z", false, "a??z");
	/* Not assigned to any character. */
	expect_clean("\xf3\xa0\x82\x80", true, "?");
}

static void expect_print(const char *text, unsigned width, bool is_utf8, const char *wanted)
{
	char *printed = NULL;
	size_t size;
	FILE *out = open_memstream(&printed, &size);
	unsigned used = display_print(out, text, width, is_utf8);
	fclose(out);
	cr_expect_str_eq(printed, wanted, "%s instead of %s", printed, wanted);
	cr_expect_eq(used, display_width(wanted));
	free(printed);
}

Test(display, printing_cuts_and_marks_what_does_not_fit)
{
	expect_print("service", 0, true, "service");
	expect_print("service", 7, true, "service");
	expect_print("service", 6, true, "servi…");
	expect_print("service", 6, false, "servi+");
	expect_print("service", 1, true, "…");
	expect_print(CJK CJK CJK, 6, true, CJK CJK CJK);
	expect_print(CJK CJK CJK, 5, true, CJK CJK "…");
	expect_print(CJK CJK CJK, 4, true, CJK "…");
	expect_print(CJK CJK CJK, 2, true, "…");
	expect_print(E_ACUTE E_ACUTE E_ACUTE, 2, true, E_ACUTE "…");
}
