#include "config/hours.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/problems.h"

enum { WEEK_DAYS = 7 };

static const char day_names[WEEK_DAYS][4] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

static int refuse(char reason[HOURS_REASON_SIZE], const char *text, const char *what)
{
	char shown[QUOTE_SIZE];
	snprintf(reason, HOURS_REASON_SIZE,
		"%s %s; write \"08:00-18:00\", \"22:00-06:00\" for a time over midnight, or \"mon-fri "
		"08:00-24:00\"",
		quote(shown, text), what);
	return -EINVAL;
}

/* 0 to 6 and *at behind the name; -1: it is none. */
static int take_day(const char **at)
{
	for (int day = 0; day < WEEK_DAYS; day++)
		if (!strncasecmp(*at, day_names[day], 3) && !isalpha((unsigned char)(*at)[3])) {
			*at += 3;
			return day;
		}
	return -1;
}

/* "mon", or "sat-mon": over the end of the week. */
static bool take_days(const char **at, uint16_t *days)
{
	int first = take_day(at), last = first;
	if (first >= 0 && **at == '-') {
		++*at;
		last = take_day(at);
	}
	if (first < 0 || last < 0)
		return false;
	for (int day = first; day != last; day = (day + 1) % WEEK_DAYS)
		*days |= (uint16_t)(1 << day);
	*days |= (uint16_t)(1 << last);
	return true;
}

/* Minutes since midnight of "8:00" or "08:00"; -1: it is no time. */
static int take_time(const char **at)
{
	size_t n_digits = strspn(*at, "0123456789");
	const char *colon = *at + n_digits, *minutes = colon + 1;
	if (n_digits < 1 || n_digits > 2 || *colon != ':' || strspn(minutes, "0123456789") != 2)
		return -1;
	int hour = n_digits == 2 ? ((*at)[0] - '0') * 10 + (*at)[1] - '0' : (*at)[0] - '0';
	int minute = (minutes[0] - '0') * 10 + minutes[1] - '0';
	*at = minutes + 2;
	return minute > 59 || hour > 24 || (hour == 24 && minute) ? -1 : hour * 60 + minute;
}

int hours_parse(const char *text, struct window *ret, char reason[HOURS_REASON_SIZE])
{
	struct window window = { .days = 0 };
	const char *at = text;
	bool has_days = isalpha((unsigned char)*at);
	if (!has_days)
		window.days = EVERY_DAY;
	while (has_days) {
		if (!take_days(&at, &window.days) || !strchr(", ", *at))
			return refuse(reason, text,
				"does not begin with days as \"mon\", \"mon-fri\" or \"sat,sun\"");
		has_days = *at == ',';
		at += *at != 0;
	}
	int from = take_time(&at), to = -1;
	if (from >= 0 && *at++ == '-')
		to = take_time(&at);
	if (to < 0 || *at)
		return refuse(reason, text, "is no time of day");
	if (from == DAY_MINUTES)
		return refuse(reason, text, "begins at 24:00, where the day ends: a day begins at 00:00");
	if (from == to)
		return refuse(reason, text, "begins when it ends: all day is \"00:00-24:00\"");
	window.from = (uint16_t)from;
	window.to = (uint16_t)(to > from ? to : to + DAY_MINUTES);
	*ret = window;
	return 0;
}
