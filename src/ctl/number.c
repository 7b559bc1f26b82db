#include "ctl/number.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

/* Three significant characters and a unit; 999.6k is 1.0M, never 1000k. */
static void format_large(char *text, double number, const char *suffix)
{
	static const char units[] = "kMGTPE";
	const char *unit = units;
	number /= 1000;
	while (number >= 999.5 && unit[1]) {
		number /= 1000;
		unit++;
	}
	snprintf(text, NUMBER_SIZE, "%.*f%c%s", number < 9.95 ? 1 : 0, number, *unit, suffix);
}

char *number_format_count(char text[NUMBER_SIZE], int64_t count)
{
	if (count < 10000)
		snprintf(text, NUMBER_SIZE, "%lld", (long long)count);
	else
		format_large(text, (double)count, "");
	return text;
}

char *number_format_rate(char text[NUMBER_SIZE], double rate)
{
	if (!isfinite(rate) || rate < 0)
		snprintf(text, NUMBER_SIZE, "-");
	else if (rate == 0)
		snprintf(text, NUMBER_SIZE, "0/s");
	else if (rate < 0.05)
		snprintf(text, NUMBER_SIZE, "<0.1/s");
	else if (rate < 99.95)
		snprintf(text, NUMBER_SIZE, "%.1f/s", rate);
	else if (rate < 9999.5)
		snprintf(text, NUMBER_SIZE, "%.0f/s", rate);
	else
		format_large(text, rate, "/s");
	return text;
}

char *number_format_time(char text[NUMBER_SIZE], int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm parts;
	if (!localtime_r(&seconds, &parts) || !strftime(text, NUMBER_SIZE, "%F %T", &parts))
		snprintf(text, NUMBER_SIZE, "-");
	return text;
}
