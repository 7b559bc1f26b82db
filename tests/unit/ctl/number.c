#include "ctl/number.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

Test(number, counts_take_few_characters)
{
	static const struct {
		int64_t count;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 901, "901" },
		{ 9999, "9999" },
		{ 10000, "10k" },
		{ 12345, "12k" },
		{ 999499, "999k" },
		{ 999500, "1.0M" },
		{ 2100000, "2.1M" },
		{ 9949999, "9.9M" },
		{ 9950000, "10M" },
		{ 123456789, "123M" },
		{ 999600000, "1.0G" },
		{ 5000000000000, "5.0T" },
		{ INT64_MAX, "9.2E" },
		{ -1, "-1" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[NUMBER_SIZE];
		cr_expect_str_eq(
			number_format_count(text, cases[i].count), cases[i].text, "%s", text);
	}
}

Test(number, rates_are_never_rounded_to_nothing)
{
	static const struct {
		double rate;
		const char *text;
	} cases[] = {
		{ 0, "0/s" },
		{ 0.001, "<0.1/s" },
		{ 0.06, "0.1/s" },
		{ 11.24, "11.2/s" },
		{ 99.94, "99.9/s" },
		{ 99.96, "100/s" },
		{ 345.4, "345/s" },
		{ 9999.4, "9999/s" },
		{ 9999.6, "10k/s" },
		{ 12345, "12k/s" },
		{ 2.1e6, "2.1M/s" },
		{ -1, "-" },
		{ NAN, "-" },
		{ INFINITY, "-" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[NUMBER_SIZE];
		cr_expect_str_eq(
			number_format_rate(text, cases[i].rate), cases[i].text, "%s", text);
	}
}

Test(number, times_are_local_to_the_second)
{
	char text[NUMBER_SIZE];
	setenv("TZ", "UTC-2", 1);
	tzset();
	cr_expect_str_eq(
		number_format_time(text, 1772366400999), "2026-03-01 14:00:00", "%s", text);
}
