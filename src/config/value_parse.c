/*
 * What was written becomes a field, kind by kind. A refusal says what would be accepted.
 */
#include "config/value.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/text.h"
#include "config/list.h"
#include "config/problems.h"
#include "config/rate.h"
#include "config/words.h"

const struct key_name signal_names[] = {
	{ "TERM", SIGTERM },
	{ "INT", SIGINT },
	{ "HUP", SIGHUP },
	{ "QUIT", SIGQUIT },
	{ "KILL", SIGKILL },
	{ "USR1", SIGUSR1 },
	{ "USR2", SIGUSR2 },
	{ "ALRM", SIGALRM },
	{ "ABRT", SIGABRT },
	{ "CONT", SIGCONT },
	{ "PIPE", SIGPIPE },
	{ "WINCH", SIGWINCH },
	{ "PWR", SIGPWR },
	{ NULL },
};

static int refuse(char reason[VALUE_REASON_SIZE], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(char reason[VALUE_REASON_SIZE], const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason, VALUE_REASON_SIZE, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static bool has_range(const struct config_key *key)
{
	return key->min != 0 || key->max != 0;
}

static int check_range(const struct config_key *key, int64_t number, char reason[VALUE_REASON_SIZE])
{
	if (!has_range(key) || (number >= key->min && number <= key->max))
		return 0;
	return refuse(reason, "%lld is out of range; write a number from %lld to %lld",
		(long long)number, (long long)key->min, (long long)key->max);
}

static int copy_string(const char *text, char **field)
{
	*field = strdup(text);
	return *field ? 0 : -ENOMEM;
}

int parse_boolean(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	(void)key, (void)reason;
	*(bool *)field = !strcmp(literal->text, "true");
	return 0;
}

/* A decimal number from the first to the last character. */
static int whole_number(const char *text, int64_t *ret_number)
{
	char *end;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (errno || end == text || *end || isspace((unsigned char)*text))
		return -EINVAL;
	*ret_number = number;
	return 0;
}

int parse_integer(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	int64_t number;
	int r = whole_number(literal->text, &number);
	if (r == 0)
		r = check_range(key, number, reason);
	if (r == 0)
		*(int32_t *)field = (int32_t)number;
	return r;
}

int parse_number(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	double number = strtod(literal->text, NULL);
	if (!isfinite(number) || number < (double)key->min || number > (double)key->max)
		return refuse(reason, "this is out of range; write a number from %lld to %lld",
			(long long)key->min, (long long)key->max);
	*(double *)field = number;
	return 0;
}

int parse_duration(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	char low[DURATION_EXACT_SIZE], high[DURATION_EXACT_SIZE], written[QUOTE_SIZE];
	uint64_t ms;
	int r = text_parse_duration(literal->text, &ms);
	if (r == 0 && ((int64_t)ms < key->min || (has_range(key) && (int64_t)ms > key->max)))
		r = -ERANGE;
	if (r == -ERANGE)
		return refuse(reason, "%s is out of range; write a time from \"%s\" to \"%s\"",
			quote(written, literal->text),
			duration_format_exact(low, (uint64_t)key->min),
			duration_format_exact(high, (uint64_t)key->max));
	if (r == 0)
		*(uint64_t *)field = ms;
	return r;
}

int parse_size(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	uint64_t bytes;
	int r = text_parse_size(literal->text, &bytes);
	if (r == -ERANGE)
		return refuse(reason, "this size is out of range; write a smaller or positive one");
	if (r == 0)
		r = check_range(key, (int64_t)bytes, reason);
	if (r == 0)
		*(uint64_t *)field = bytes;
	return r;
}

int parse_mode(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	unsigned mode;
	int r = text_parse_mode(literal->text, &mode);
	if (r == 0 && key->max && mode > key->max)
		return refuse(reason, "0%o is out of range; write at most \"0%llo\"", mode,
			(unsigned long long)key->max);
	if (r == 0)
		*(uint32_t *)field = mode;
	return r;
}

int parse_signal(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	const char *text = literal->text;
	int64_t number;
	if (whole_number(text, &number) == 0) {
		int r = check_range(key, number, reason);
		if (r == 0)
			*(int32_t *)field = (int32_t)number;
		return r;
	}
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	for (const struct key_name *name = signal_names; name->name; name++)
		if (!strcasecmp(name->name, text)) {
			*(int32_t *)field = name->value;
			return 0;
		}
	char written[QUOTE_SIZE];
	return refuse(reason,
		"%s is not a signal that has a name here; write \"TERM\", \"INT\", "
		"\"HUP\", \"QUIT\", \"KILL\", \"USR1\", \"USR2\" or its number",
		quote(written, literal->text));
}

int parse_rate(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	(void)key;
	int r = rate_parse(literal->text, field);
	if (r == -ERANGE)
		return refuse(reason,
			"this is out of range; write a count from 1 to %d and a time from \"1ms\" "
			"to \"7d\"",
			RATE_COUNT_MAX);
	return r;
}

int parse_deaths(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	if (strchr(literal->text, ' '))
		return -EINVAL;
	return parse_rate(key, literal, field, reason);
}

/* "a", "b", "c" */
static void list_names(const struct key_name *names, char *text, size_t size)
{
	size_t used = 0;
	for (const struct key_name *name = names; name->name && used < size; name++)
		if (!name->is_future)
			used += (size_t)snprintf(
				text + used, size - used, "%s\"%s\"", used ? ", " : "", name->name);
}

static int find_name(const struct config_key *key, const char *text, int *ret_value,
	char reason[VALUE_REASON_SIZE])
{
	char written[QUOTE_SIZE], names[128];
	for (const struct key_name *name = key->names; name->name; name++) {
		if (strcmp(name->name, text))
			continue;
		if (name->is_future && !key->reads_future)
			return refuse(reason,
				"%s is not supported by this version; remove the key or write "
				"\"%s\"",
				quote(written, text), key->names->name);
		*ret_value = name->value;
		return 0;
	}
	list_names(key->names, names, sizeof names);
	return refuse(reason, "%s is unknown; write one of %s", quote(written, text), names);
}

int parse_enum(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	return find_name(key, literal->text, field, reason);
}

/* A list, or one string of words. */
int parse_flags(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	struct text_list words = { 0 };
	const char *ignored;
	uint32_t flags = 0;
	char names[128];
	if (literal->type != LITERAL_LIST && !literal->text[strspn(literal->text, " \t\r\n")]) {
		list_names(key->names, names, sizeof names);
		return refuse(reason, "the text is empty; write [ ] for none of them, or a list of %s", names);
	}
	int r = literal->type == LITERAL_LIST ? text_list_copy(&words, literal->items, literal->n)
					      : words_split(literal->text, &words, &ignored);
	for (size_t i = 0; i < words.n && r == 0; i++) {
		int flag = 0;
		r = find_name(key, words.items[i], &flag, reason);
		flags |= (uint32_t)flag;
	}
	text_list_fini(&words);
	if (r == 0)
		*(uint32_t *)field = flags;
	return r;
}

int parse_string(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	(void)key;
	size_t length = strlen(literal->text);
	if (length > VALUE_STRING_MAX)
		return refuse(reason, "this text has %zu bytes; at most %d are allowed", length,
			VALUE_STRING_MAX);
	return copy_string(literal->text, field);
}

int parse_path(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	char written[QUOTE_SIZE];
	if (literal->text[0] != '/')
		return refuse(reason,
			"%s is not an absolute path; write one that begins with \"/\"",
			quote(written, literal->text));
	if (strlen(literal->text) >= 4096)
		return refuse(reason, "this path has %zu bytes; the system allows 4095",
			strlen(literal->text));
	return parse_string(key, literal, field, reason);
}

int parse_socket(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	/* A path needs room for its NUL. A name has one at its front instead, where "@" stands. */
	size_t room = sizeof((struct sockaddr_un *)0)->sun_path;
	size_t length = strlen(literal->text);
	bool is_abstract = literal->text[0] == '@';
	char written[QUOTE_SIZE];
	if (!is_abstract && literal->text[0] != '/')
		return refuse(reason,
			"%s is neither an absolute path nor a \"@name\"; write one that begins "
			"with "
			"\"/\" or \"@\"",
			quote(written, literal->text));
	if (is_abstract && length == 1)
		return refuse(reason, "the name behind \"@\" is missing; add it");
	if (length >= room)
		return refuse(reason,
			"this %s has %zu bytes, and the address of a Unix socket holds %zu; "
			"shorten it",
			is_abstract ? "name" : "path", length, room - 1);
	return parse_string(key, literal, field, reason);
}

int parse_id(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	if (!literal->text[0])
		return refuse(reason, "the name is empty; write a name or remove the key");
	return parse_string(key, literal, field, reason);
}

int parse_port(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	int64_t number;
	if (!literal->text[0])
		return -EINVAL;
	if (literal->text[0] != '+' && whole_number(literal->text, &number) == 0 &&
		(number < 1 || number > 65535))
		return refuse(reason, "%lld is out of range; write a port from 1 to 65535",
			(long long)number);
	return parse_string(key, literal, field, reason);
}

int parse_strings(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	(void)key;
	const char *const one[] = { literal->text };
	bool is_list = literal->type == LITERAL_LIST;
	const char *const *items = is_list ? literal->items : one;
	size_t n = is_list ? literal->n : 1;
	for (size_t i = 0; i < n; i++) {
		if (!items[i][0])
			return refuse(reason, "text %zu is empty; write it or remove it", i + 1);
		if (strlen(items[i]) > VALUE_STRING_MAX)
			return refuse(reason, "text %zu has %zu bytes; at most %d are allowed",
				i + 1, strlen(items[i]), VALUE_STRING_MAX);
	}
	return text_list_copy(field, items, n);
}

int parse_command(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	(void)key;
	const char *why = NULL;
	struct text_list words = { 0 };
	int r = literal->type == LITERAL_LIST ? text_list_copy(&words, literal->items, literal->n)
					      : words_split(literal->text, &words, &why);
	if (r == -EINVAL)
		return refuse(reason, "%s", why);
	if (r < 0)
		return r;
	if (words.n == 0 || !words.items[0][0]) {
		text_list_fini(&words);
		return refuse(reason,
			"the command is empty; write [ \"/path/of/program\", \"argument\" ]");
	}
	*(struct text_list *)field = words;
	return 0;
}
