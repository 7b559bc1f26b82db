/*
 * The kinds of values in a table, and what all kinds do alike.
 */
#include "config/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/list.h"

enum ownership { OWNS_NOTHING, OWNS_STRING, OWNS_LIST };

struct kind {
	const char *noun; /* what is expected, with an example */
	unsigned accepts; /* bits of enum literal_type */
	size_t size;
	enum ownership ownership;
	value_parser *parse;
	value_formatter *format; /* NULL: of keys that have no field */
};

enum {
	NUMERAL = LITERAL_INTEGER | LITERAL_REAL,
	TEXT = LITERAL_STRING,
	LISTS = LITERAL_STRING | LITERAL_LIST,
};

/* clang-format off */
static const struct kind kinds[] = {
	[KEY_GROUP] = { "a group, { }", LITERAL_GROUP, 0, OWNS_NOTHING, NULL, NULL },
	[KEY_BOOLEAN] = { "true or false, without quotes", LITERAL_BOOLEAN,
		sizeof(bool), OWNS_NOTHING, parse_boolean, format_boolean },
	[KEY_INTEGER] = { "a whole number, without quotes", LITERAL_INTEGER,
		sizeof(int32_t), OWNS_NOTHING, parse_integer, format_integer },
	[KEY_NUMBER] = { "a number, without quotes", NUMERAL,
		sizeof(double), OWNS_NOTHING, parse_number, format_number },
	[KEY_DURATION] = { "a time: seconds as a number, or \"500ms\", \"10s\", \"5min\", \"2h\"",
		NUMERAL | TEXT, sizeof(uint64_t), OWNS_NOTHING, parse_duration, format_duration },
	[KEY_SIZE] = { "a size: bytes as a number, or \"64K\", \"1M\"", LITERAL_INTEGER | TEXT,
		sizeof(uint64_t), OWNS_NOTHING, parse_size, format_size },
	[KEY_COUNT_LIMIT] = { "a number, \"1024:4096\" (soft and hard limit), or \"unlimited\"",
		LITERAL_INTEGER | TEXT, sizeof(struct resource_limit), OWNS_NOTHING, parse_limit, format_limit },
	[KEY_SIZE_LIMIT] = { "a size such as \"64M\", \"64M:1G\" (soft and hard limit), or \"unlimited\"",
		LITERAL_INTEGER | TEXT, sizeof(struct resource_limit), OWNS_NOTHING, parse_limit, format_limit },
	[KEY_TIME_LIMIT] = { "a time such as \"30s\", \"30s:35s\" (soft and hard limit), or \"unlimited\"",
		NUMERAL | TEXT, sizeof(struct resource_limit), OWNS_NOTHING, parse_limit, format_limit },
	[KEY_CAPABILITIES] = { "a name from capabilities(7) in quotes, or a list of them", LISTS,
		sizeof(uint64_t), OWNS_NOTHING, parse_capabilities, format_capabilities },
	[KEY_MODE] = { "an octal number in quotes, as \"022\"", TEXT,
		sizeof(uint32_t), OWNS_NOTHING, parse_mode, format_mode },
	[KEY_SIGNAL] = { "a signal: \"TERM\", \"HUP\" or a number", LITERAL_INTEGER | TEXT,
		sizeof(int32_t), OWNS_NOTHING, parse_signal, format_signal },
	[KEY_RATE] = { "a rate in quotes: \"10/s\", \"600/min\", \"10/s burst 50\" or \"none\"", TEXT,
		sizeof(struct rate_limit), OWNS_NOTHING, parse_rate, format_rate },
	[KEY_DEATHS] = { "how many in how long, in quotes: \"5/10s\" or \"none\"", TEXT,
		sizeof(struct rate_limit), OWNS_NOTHING, parse_deaths, format_rate },
	[KEY_ENUM] = { "one word in quotes", TEXT,
		sizeof(int), OWNS_NOTHING, parse_enum, format_enum },
	[KEY_FLAGS] = { "a list of words: [ \"end\", \"refuse\" ]", LISTS,
		sizeof(uint32_t), OWNS_NOTHING, parse_flags, format_flags },
	[KEY_STRING] = { "a text in quotes", TEXT,
		sizeof(char *), OWNS_STRING, parse_string, format_string },
	[KEY_PATH] = { "a path in quotes", TEXT,
		sizeof(char *), OWNS_STRING, parse_path, format_string },
	[KEY_SOCKET] = { "a path in quotes", TEXT,
		sizeof(char *), OWNS_STRING, parse_socket, format_string },
	[KEY_ID] = { "a name in quotes, or a number", LITERAL_INTEGER | TEXT,
		sizeof(char *), OWNS_STRING, parse_id, format_string },
	[KEY_PORT] = { "a port: a number, or a name in quotes", LITERAL_INTEGER | TEXT,
		sizeof(char *), OWNS_STRING, parse_port, format_port },
	[KEY_STRINGS] = { "a text in quotes or a list of them: [ \"a\", \"b\" ]", LISTS,
		sizeof(struct text_list), OWNS_LIST, parse_strings, format_strings },
	[KEY_IDS] = { "a name in quotes or a list of them: [ \"a\", \"b\" ]", LISTS,
		sizeof(struct text_list), OWNS_LIST, parse_strings, format_strings },
	[KEY_COMMAND] = { "a list of words in quotes, [ \"/path/of/program\", \"argument\" ], or one text",
		LISTS, sizeof(struct text_list), OWNS_LIST, parse_command, format_strings },
};
/* clang-format on */

static const char *literal_noun(enum literal_type type)
{
	switch (type) {
	case LITERAL_INTEGER:
		return "a whole number";
	case LITERAL_REAL:
		return "a number with a fraction";
	case LITERAL_BOOLEAN:
		return "true or false";
	case LITERAL_STRING:
		return "a text";
	case LITERAL_LIST:
		return "a list";
	case LITERAL_MIXED:
		return "a list that holds other things than texts";
	case LITERAL_GROUP:
		return "a group";
	}
	return "something else";
}

union any_value {
	uint64_t number;
	double real;
	struct rate_limit rate;
	struct resource_limit limit;
	char *string;
	struct text_list list;
};

int value_parse(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	const struct kind *kind = &kinds[key->kind];
	if (!(kind->accepts & literal->type)) {
		snprintf(reason, VALUE_REASON_SIZE, "this is %s; write %s",
			literal_noun(literal->type), kind->noun);
		return -EINVAL;
	}
	if (!kind->parse)
		return 0;
	union any_value value;
	memset(&value, 0, sizeof value); /* fields are compared byte by byte */
	reason[0] = 0;
	int r = kind->parse(key, literal, &value, reason);
	if (r == -EINVAL && !reason[0])
		snprintf(reason, VALUE_REASON_SIZE, "this is not understood; write %s", kind->noun);
	if (r < 0)
		return r;
	value_fini(key, field);
	memcpy(field, &value, kind->size);
	return 0;
}

int value_check(
	const struct config_key *key, const struct literal *literal, char reason[VALUE_REASON_SIZE])
{
	union any_value value = { 0 };
	int r = value_parse(key, literal, &value, reason);
	value_fini(key, &value);
	return r;
}

/* The type under which a default is handed to the parser: one that its kind accepts. */
static enum literal_type default_type(const struct kind *kind)
{
	if (kind->accepts & LITERAL_STRING)
		return LITERAL_STRING;
	return kind->accepts & LITERAL_REAL ? LITERAL_REAL : (enum literal_type)kind->accepts;
}

int value_set_default(const struct config_key *key, void *field)
{
	char reason[VALUE_REASON_SIZE];
	if (!key->default_text)
		return 0;
	struct literal literal = {
		.type = default_type(&kinds[key->kind]),
		.text = key->default_text,
	};
	return value_parse(key, &literal, field, reason);
}

void value_format(const struct config_key *key, const void *field, FILE *out)
{
	kinds[key->kind].format(key, field, out);
}

bool value_is_absent(const struct config_key *key, const void *field)
{
	if (kinds[key->kind].parse == parse_limit)
		return !((const struct resource_limit *)field)->is_given;
	if (kinds[key->kind].ownership == OWNS_STRING)
		return !*(char *const *)field;
	/* Zero is what these have where there is none. */
	if (key->default_text)
		return false;
	bool is_number = key->kind == KEY_MODE || (key->kind == KEY_INTEGER && key->min > 0);
	bool is_long = key->kind == KEY_DURATION || key->kind == KEY_SIZE ||
		       key->kind == KEY_CAPABILITIES;
	return (is_number && !*(const uint32_t *)field) || (is_long && !*(const uint64_t *)field);
}

int value_copy_owned(const struct config_key *key, void *field)
{
	if (kinds[key->kind].ownership == OWNS_STRING) {
		char **string = field;
		bool is_absent = !*string;
		*string = is_absent ? NULL : strdup(*string);
		return is_absent || *string ? 0 : -ENOMEM;
	}
	if (kinds[key->kind].ownership == OWNS_LIST) {
		struct text_list *list = field, source = *list;
		return text_list_copy(list, (const char *const *)source.items, source.n);
	}
	return 0;
}

char **value_owned_text(const struct config_key *key, void *field)
{
	return kinds[key->kind].ownership == OWNS_STRING ? field : NULL;
}

struct text_list *value_owned_list(const struct config_key *key, void *field)
{
	return kinds[key->kind].ownership == OWNS_LIST ? field : NULL;
}

bool value_equal(const struct config_key *key, const void *a, const void *b)
{
	const struct kind *kind = &kinds[key->kind];
	if (kind->ownership == OWNS_LIST)
		return text_list_equal(a, b);
	if (kind->ownership == OWNS_NOTHING)
		return memcmp(a, b, kind->size) == 0;
	const char *left = *(char *const *)a, *right = *(char *const *)b;
	return left && right ? strcmp(left, right) == 0 : left == right;
}

void value_fini(const struct config_key *key, void *field)
{
	const struct kind *kind = &kinds[key->kind];
	if (kind->ownership == OWNS_LIST)
		text_list_fini(field);
	else if (kind->ownership == OWNS_STRING)
		free(*(char **)field);
	memset(field, 0, kind->size);
}
