#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/hours.h"

/* As it was understood: days from Monday on, first and last minute. */
static const char *understood(const char *text)
{
	static char result[64];
	char reason[HOURS_REASON_SIZE], days[8];
	struct window window;
	cr_assert_eq(hours_parse(text, &window, reason), 0, "%s: %s", text, reason);
	for (unsigned day = 0; day < 7; day++)
		days[day] = window.days >> day & 1 ? "MTWTFSS"[day] : '.';
	days[7] = 0;
	snprintf(result, sizeof result, "%s %u-%u", days, window.from, window.to);
	return result;
}

Test(hours, are_times_of_day_perhaps_of_some_days)
{
	static const char *const cases[][2] = {
		{ "08:00-18:00", "MTWTFSS 480-1080" },
		{ "8:00-18:00", "MTWTFSS 480-1080" },
		{ "00:00-24:00", "MTWTFSS 0-1440" },
		{ "22:00-06:00", "MTWTFSS 1320-1800" },
		{ "22:00-00:00", "MTWTFSS 1320-1440" },
		{ "22:00-24:00", "MTWTFSS 1320-1440" },
		{ "23:59-0:00", "MTWTFSS 1439-1440" },
		{ "mon-fri 08:00-18:00", "MTWTF.. 480-1080" },
		{ "Sat,Sun 10:00-12:00", ".....SS 600-720" },
		{ "fri-mon 10:00-12:00", "M...FSS 600-720" },
		{ "mon,wed,fri-sat 10:00-12:00", "M.W.FS. 600-720" },
		{ "fri 22:00-06:00", "....F.. 1320-1800" },
		{ "mon-sun 01:00-02:00", "MTWTFSS 60-120" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_str_eq(understood(cases[i][0]), cases[i][1], "%s", cases[i][0]);
}

Test(hours, what_is_none_is_refused_with_a_remedy)
{
	static const char *const cases[][2] = {
		{ "", "no time of day" },
		{ "8", "no time of day" },
		{ "08-18", "no time of day" },
		{ "08:00", "no time of day" },
		{ "08:00-", "no time of day" },
		{ "08:00-18:00:00", "no time of day" },
		{ "08:00-18:60", "no time of day" },
		{ "08:00-24:01", "no time of day" },
		{ "25:00-26:00", "no time of day" },
		{ "008:00-18:00", "no time of day" },
		{ "08:00-18:00 ", "no time of day" },
		{ "-1:00-18:00", "no time of day" },
		{ "08:00 - 18:00", "no time of day" },
		{ "mon", "no time of day" },
		{ ",mon 08:00-18:00", "no time of day" },
		{ " 08:00-18:00", "no time of day" },
		{ "mon  08:00-18:00", "no time of day" },
		{ "mon08:00-18:00", "mon-fri" },
		{ "monday 08:00-18:00", "does not begin with days" },
		{ "mo 08:00-18:00", "does not begin with days" },
		{ "mon- 08:00-18:00", "does not begin with days" },
		{ "mon-fri,  08:00-18:00", "mon-fri" },
		{ "24:00-06:00", "begins at 24:00" },
		{ "08:00-08:00", "00:00-24:00" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char reason[HOURS_REASON_SIZE] = "";
		struct window window;
		cr_expect_eq(hours_parse(cases[i][0], &window, reason), -EINVAL, "%s", cases[i][0]);
		cr_expect(strstr(reason, cases[i][1]), "%s: %s", cases[i][0], reason);
		cr_expect(strstr(reason, "write \"08:00-18:00\""), "%s: %s", cases[i][0], reason);
	}
}
