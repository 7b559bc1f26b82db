#include "config/rate.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* A count at *at, which is moved behind it. */
static int take_count(const char **at, uint32_t *ret_count)
{
	if (!isdigit((unsigned char)**at))
		return -EINVAL;
	char *end;
	unsigned long long count = strtoull(*at, &end, 10);
	*at = end;
	if (count < 1 || count > RATE_COUNT_MAX)
		return -ERANGE;
	*ret_count = (uint32_t)count;
	return 0;
}

/* "s" is one second as "1s" is: text_parse_duration wants the number. */
static int take_time(const char *text, size_t length, uint32_t *ret_ms)
{
	char time[24];
	uint64_t ms;
	bool has_number = length > 0 && (isdigit((unsigned char)*text) || *text == '.');
	int n = snprintf(time, sizeof time, "%s%.*s", has_number ? "" : "1", (int)length, text);
	if (length == 0 || n >= (int)sizeof time || isdigit((unsigned char)text[length - 1]))
		return -EINVAL;
	int r = text_parse_duration(time, &ms);
	if (r == 0 && (ms < 1 || ms > RATE_PER_MS_MAX))
		r = -ERANGE;
	if (r == 0)
		*ret_ms = (uint32_t)ms;
	return r;
}

int rate_parse(const char *text, struct rate_limit *ret_rate)
{
	struct rate_limit rate = { 0 };
	if (!strcmp(text, "none")) {
		*ret_rate = rate;
		return 0;
	}
	int r = take_count(&text, &rate.count);
	if (r < 0)
		return r;
	if (*text++ != '/')
		return -EINVAL;
	size_t length = strcspn(text, " ");
	r = take_time(text, length, &rate.per_ms);
	if (r < 0)
		return r;
	text += length;
	rate.burst = rate.count;
	if (*text) {
		static const char burst[] = " burst ";
		if (strncmp(text, burst, sizeof burst - 1))
			return -EINVAL;
		text += sizeof burst - 1;
		r = take_count(&text, &rate.burst);
		if (r < 0)
			return r;
		if (*text)
			return -EINVAL;
	}
	*ret_rate = rate;
	return 0;
}

char *duration_format_exact(char text[DURATION_EXACT_SIZE], uint64_t ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 } };
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (ms >= units[i].ms && ms % units[i].ms == 0) {
			snprintf(text, DURATION_EXACT_SIZE, "%llu%s",
				(unsigned long long)(ms / units[i].ms), units[i].unit);
			return text;
		}
	snprintf(text, DURATION_EXACT_SIZE, "%llums", (unsigned long long)ms);
	return text;
}

char *rate_format(char text[RATE_TEXT_SIZE], const struct rate_limit *rate)
{
	char time[DURATION_EXACT_SIZE];
	if (rate->count == 0) {
		snprintf(text, RATE_TEXT_SIZE, "none");
		return text;
	}
	duration_format_exact(time, rate->per_ms);
	/* "10/s" reads better than "10/1s". */
	const char *short_time =
		time[0] == '1' && isalpha((unsigned char)time[1]) ? time + 1 : time;
	if (rate->burst == rate->count)
		snprintf(text, RATE_TEXT_SIZE, "%u/%s", rate->count, short_time);
	else
		snprintf(text, RATE_TEXT_SIZE, "%u/%s burst %u", rate->count, short_time,
			rate->burst);
	return text;
}
