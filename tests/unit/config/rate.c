#include <criterion/criterion.h>
#include <errno.h>

#include "config/rate.h"

Test(rate, is_a_count_in_a_time)
{
	static const struct {
		const char *text;
		uint32_t count, per_ms, burst;
	} cases[] = {
		{ "10/s", 10, 1000, 10 },
		{ "600/min", 600, 60000, 600 },
		{ "5/10s", 5, 10000, 5 },
		{ "1/500ms", 1, 500, 1 },
		{ "3/2h", 3, 7200000, 3 },
		{ "1/d", 1, 86400000, 1 },
		{ "10/s burst 50", 10, 1000, 50 },
		{ "10/s burst 1", 10, 1000, 1 },
		{ "1000000/ms", 1000000, 1, 1000000 },
		{ "none", 0, 0, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rate_limit rate = { 99, 99, 99 };
		cr_assert_eq(rate_parse(cases[i].text, &rate), 0, "%s", cases[i].text);
		cr_expect_eq(rate.count, cases[i].count, "%s", cases[i].text);
		cr_expect_eq(rate.per_ms, cases[i].per_ms, "%s", cases[i].text);
		cr_expect_eq(rate.burst, cases[i].burst, "%s", cases[i].text);
	}
}

Test(rate, refuses_everything_else)
{
	static const char *const wrong[] = { "", "10", "10/", "/s", "x/s", "10/x", "-1/s", "10/5",
		"10 / s", "10/s burst", "10/s burst x", "10/s burst 5 ", "10/sburst 5", "1.5/s",
		"10/s:50", "None", "10/s/s", "10/-1s" };
	static const char *const out_of_range[] = { "0/s", "1000001/s", "10/8d", "10/0s",
		"10/s burst 0", "10/s burst 99999999999999999999", "99999999999999999999/s" };
	struct rate_limit rate = { 7, 7, 7 };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		cr_expect_eq(rate_parse(wrong[i], &rate), -EINVAL, "\"%s\"", wrong[i]);
	for (size_t i = 0; i < sizeof out_of_range / sizeof *out_of_range; i++)
		cr_expect_eq(rate_parse(out_of_range[i], &rate), -ERANGE, "%s", out_of_range[i]);
	cr_expect_eq(rate.count, 7);
}

Test(rate, reads_back_what_it_wrote)
{
	static const char *const texts[] = { "none", "10/s", "600/min", "5/10s", "1/500ms", "3/2h",
		"10/s burst 50", "1/90s", "4/d", "7/ms" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct rate_limit rate;
		char text[RATE_TEXT_SIZE];
		cr_assert_eq(rate_parse(texts[i], &rate), 0);
		cr_expect_str_eq(rate_format(text, &rate), texts[i]);
	}
}
