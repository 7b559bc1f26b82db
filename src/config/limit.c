/*
 * Values of the group limits: "1024", "1024:4096" (soft and hard), "64M", "30s", "unlimited".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "config/problems.h"
#include "config/value.h"
#include "wire/limits.h"

enum { PART_SIZE = 32, MS = 1000 };

static const char unlimited[] = "unlimited";

/* -EDOM: a part of a second, which the kernel does not count. */
static int parse_seconds(const char *text, uint64_t *ret)
{
	uint64_t ms;
	int r = text_parse_duration(text, &ms);
	if (r == 0 && ms % MS)
		return -EDOM;
	if (r == 0)
		*ret = ms / MS;
	return r;
}

static int parse_part(const struct config_key *key, const char *text, size_t length, uint64_t *ret)
{
	char part[PART_SIZE];
	uint64_t number = 0;
	if (length >= sizeof part)
		return -EINVAL;
	snprintf(part, sizeof part, "%.*s", (int)length, text);
	if (!strcmp(part, unlimited)) {
		*ret = LIMIT_UNLIMITED;
		return 0;
	}
	if (key->kind == KEY_COUNT_LIMIT && part[strspn(part, "0123456789")])
		return -EINVAL;
	int r = key->kind == KEY_TIME_LIMIT ? parse_seconds(part, &number)
					    : text_parse_size(part, &number);
	if (r == 0 && (number < (uint64_t)key->min || (key->max && number > (uint64_t)key->max)))
		r = -ERANGE;
	if (r == 0)
		*ret = number;
	return r;
}

static void format_part(const struct config_key *key, uint64_t number, FILE *out)
{
	static const char *const units[] = { "", "K", "M", "G", "T" };
	size_t unit = 0;
	if (number == LIMIT_UNLIMITED) {
		fputs(unlimited, out);
		return;
	}
	while (key->kind == KEY_SIZE_LIMIT && number && number % 1024 == 0 &&
		unit + 1 < sizeof units / sizeof *units) {
		number /= 1024;
		unit++;
	}
	fprintf(out, "%llu%s", (unsigned long long)number,
		key->kind == KEY_TIME_LIMIT ? "s" : units[unit]);
}

int parse_limit(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	struct resource_limit *limit = field;
	const char *text = literal->text, *colon = strchr(text, ':');
	char written[QUOTE_SIZE];
	uint64_t soft, hard;
	int r = parse_part(key, text, colon ? (size_t)(colon - text) : strlen(text), &soft);
	hard = soft;
	if (r == 0 && colon)
		r = parse_part(key, colon + 1, strlen(colon + 1), &hard);
	if (r == -ERANGE) {
		snprintf(reason, VALUE_REASON_SIZE,
			"%s is out of range; write at least %lld, or \"unlimited\"",
			quote(written, text), (long long)key->min);
		return -EINVAL;
	}
	if (r == -EDOM) {
		snprintf(reason, VALUE_REASON_SIZE,
			"%s is no whole number of seconds, and the kernel counts no others; write one, as "
			"\"1s\"",
			quote(written, text));
		return -EINVAL;
	}
	if (r < 0)
		return r;
	if (soft > hard) {
		snprintf(reason, VALUE_REASON_SIZE,
			"%s: the first one, the soft limit, is above the second, the hard one; write the "
			"smaller one first",
			quote(written, text));
		return -EINVAL;
	}
	limit->soft = soft;
	limit->hard = hard;
	limit->is_given = true;
	return 0;
}

void format_limit(const struct config_key *key, const void *field, FILE *out)
{
	const struct resource_limit *limit = field;
	fputc('"', out);
	format_part(key, limit->soft, out);
	if (limit->soft != limit->hard) {
		fputc(':', out);
		format_part(key, limit->hard, out);
	}
	fputc('"', out);
}
