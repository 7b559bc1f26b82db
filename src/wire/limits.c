#include "wire/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int resource;
} kinds[] = {
	[LIMIT_NOFILE] = { "nofile", RLIMIT_NOFILE },
	[LIMIT_NPROC] = { "nproc", RLIMIT_NPROC },
	[LIMIT_AS] = { "as", RLIMIT_AS },
	[LIMIT_CPU] = { "cpu", RLIMIT_CPU },
	[LIMIT_CORE] = { "core", RLIMIT_CORE },
	[LIMIT_DATA] = { "data", RLIMIT_DATA },
	[LIMIT_FSIZE] = { "fsize", RLIMIT_FSIZE },
	[LIMIT_MEMLOCK] = { "memlock", RLIMIT_MEMLOCK },
	[LIMIT_STACK] = { "stack", RLIMIT_STACK },
};
_Static_assert(sizeof kinds / sizeof *kinds == LIMIT_KINDS, "a row each");

static const char unlimited[] = "unlimited";

const char *limit_name(enum limit_kind kind)
{
	return kinds[kind].name;
}

int limit_resource(enum limit_kind kind)
{
	return kinds[kind].resource;
}

/* Where rlim_t has but 32 bits, what does not fit is more than there can be. */
static rlim_t value_of(uint64_t number)
{
	return number >= (uint64_t)RLIM_INFINITY ? RLIM_INFINITY : (rlim_t)number;
}

struct rlimit limit_values(const struct resource_limit *limit)
{
	return (struct rlimit){ value_of(limit->soft), value_of(limit->hard) };
}

/* ---- text ------------------------------------------------------------------------------------ */

static int format_number(char *text, size_t size, uint64_t number)
{
	return number == LIMIT_UNLIMITED ? snprintf(text, size, "%s", unlimited)
					 : snprintf(text, size, "%llu", (unsigned long long)number);
}

char *limits_format(char text[LIMITS_TEXT_SIZE], const struct resource_limit limits[LIMIT_KINDS])
{
	size_t used = 0;
	*text = 0;
	for (size_t i = 0; i < LIMIT_KINDS; i++) {
		char soft[24], hard[24];
		if (!limits[i].is_given)
			continue;
		format_number(soft, sizeof soft, limits[i].soft);
		format_number(hard, sizeof hard, limits[i].hard);
		used += (size_t)snprintf(text + used, LIMITS_TEXT_SIZE - used, "%s%s=%s:%s",
			used ? "," : "", kinds[i].name, soft, hard);
	}
	return text;
}

/* A number at *at that ends in `end` (or, for ',', in the end of the text); *at moves behind it. */
static int take_number(const char **at, char end, uint64_t *ret)
{
	size_t length = sizeof unlimited - 1;
	const char *behind = *at + length;
	if (!strncmp(*at, unlimited, length)) {
		*ret = LIMIT_UNLIMITED;
	} else {
		char *stop;
		if (**at < '0' || **at > '9')
			return -EINVAL;
		errno = 0;
		*ret = strtoull(*at, &stop, 10);
		behind = stop;
		if (errno)
			return -EINVAL;
	}
	if (*behind != end && (end != ',' || *behind))
		return -EINVAL;
	*at = behind + (*behind != 0);
	return 0;
}

static int take_kind(const char **at, enum limit_kind *ret)
{
	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++) {
		size_t length = strlen(kinds[kind].name);
		if (strncmp(*at, kinds[kind].name, length) || (*at)[length] != '=')
			continue;
		*at += length + 1;
		*ret = kind;
		return 0;
	}
	return -EINVAL;
}

int limits_parse(const char *text, struct resource_limit limits[LIMIT_KINDS])
{
	if (!*text)
		return -EINVAL;
	while (*text) {
		struct resource_limit limit = { .is_given = true };
		enum limit_kind kind;
		if (take_kind(&text, &kind) < 0 || take_number(&text, ':', &limit.soft) < 0 ||
			take_number(&text, ',', &limit.hard) < 0 || limit.soft > limit.hard)
			return -EINVAL;
		limits[kind] = limit;
	}
	return 0;
}

/* ---- setting --------------------------------------------------------------------------------- */

enum limit_kind limits_set(const struct resource_limit limits[LIMIT_KINDS])
{
	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++) {
		if (!limits[kind].is_given)
			continue;
		struct rlimit values = limit_values(&limits[kind]);
		if (setrlimit(kinds[kind].resource, &values) < 0)
			return kind;
	}
	return LIMIT_KINDS;
}

enum limit_kind limits_raise(const struct resource_limit limits[LIMIT_KINDS])
{
	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++) {
		struct rlimit now;
		if (!limits[kind].is_given)
			continue;
		if (getrlimit(kinds[kind].resource, &now) < 0)
			return kind;
		rlim_t hard = value_of(limits[kind].hard);
		if (hard <= now.rlim_max)
			continue;
		now.rlim_max = hard;
		if (setrlimit(kinds[kind].resource, &now) < 0)
			return kind;
	}
	return LIMIT_KINDS;
}

const char *limits_of_memory(
	const struct resource_limit limits[LIMIT_KINDS], unsigned long long *ret_bytes)
{
	static const enum limit_kind wanted[] = { LIMIT_AS, LIMIT_DATA };
	*ret_bytes = 0;
	for (unsigned i = 0; limits && i < 2; i++)
		if (limits[wanted[i]].is_given && limits[wanted[i]].soft != LIMIT_UNLIMITED) {
			*ret_bytes = limits[wanted[i]].soft;
			return wanted[i] == LIMIT_AS ? "limits.as" : "limits.data";
		}
	return "limits";
}
