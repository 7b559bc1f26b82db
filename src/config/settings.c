#include "config/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/foreign_keys.h"
#include "config/list.h"
#include "config/value.h"

/* The text of a line without the blanks at both ends. */
static void copy_line(const char *text, int line, char *result, size_t size)
{
	for (int at = 1; at < line && text; at++) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	text = text ? text + strspn(text, " \t") : "";
	snprintf(result, size, "%.*s", (int)strcspn(text, "\r\n"), text);
}

static const char *parse_remedy(const char *error)
{
	if (strstr(error, "mismatched element type"))
		return "values of one kind may stand in [ ]; make them all texts, or all numbers";
	if (strstr(error, "duplicate setting name"))
		return "a name may be given once in a group; remove or rename one of the two";
	return "look for a missing \"}\", \"]\", comma or quote here and in the line before";
}

int settings_parse(const char *text, const char *file, unsigned line_offset,
	struct problems *problems, config_t *ret_tree)
{
	config_init(ret_tree);
	if (config_read_string(ret_tree, text))
		return 0;
	char line[QUOTE_SIZE], shown[QUOTE_SIZE];
	const char *error = config_error_text(ret_tree);
	copy_line(text, config_error_line(ret_tree), line, sizeof line);
	problem_add(problems, file, line_offset + (unsigned)config_error_line(ret_tree), NULL,
		"%s near %s; %s", error ? error : "syntax error", quote(shown, line),
		parse_remedy(error ? error : ""));
	config_destroy(ret_tree);
	return -EINVAL;
}

static int list_literal(
	const config_setting_t *setting, struct literal *ret_literal, const char ***ret_items)
{
	unsigned n = (unsigned)config_setting_length(setting);
	const char **items = calloc(n + 1, sizeof *items);
	if (!items)
		return -ENOMEM;
	*ret_literal = (struct literal){ .type = LITERAL_LIST, .items = items, .n = n };
	*ret_items = items;
	for (unsigned i = 0; i < n; i++) {
		const config_setting_t *item =
			config_setting_get_elem((config_setting_t *)setting, i);
		if (config_setting_type(item) == CONFIG_TYPE_STRING)
			items[i] = config_setting_get_string(item);
		else
			ret_literal->type = LITERAL_MIXED;
	}
	return 0;
}

enum { NUMBER_TEXT_SIZE = 40 };

/* As "%lld" does, which would be a good part of the time that a large file takes. */
static void spell_integer(long long value, char text[NUMBER_TEXT_SIZE])
{
	char digits[NUMBER_TEXT_SIZE];
	size_t n = 0;
	unsigned long long rest =
		value < 0 ? 0ULL - (unsigned long long)value : (unsigned long long)value;
	do
		digits[n++] = (char)('0' + rest % 10);
	while (rest /= 10);
	if (value < 0)
		*text++ = '-';
	while (n > 0)
		*text++ = digits[--n];
	*text = 0;
}

/* What is written; numbers are spelled into `number`, *ret_items is the caller's to free. */
static int make_literal(const config_setting_t *setting, char number[NUMBER_TEXT_SIZE],
	struct literal *ret_literal, const char ***ret_items)
{
	*ret_items = NULL;
	*ret_literal = (struct literal){ .text = number };
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		ret_literal->type = LITERAL_INTEGER;
		spell_integer(config_setting_get_int64(setting), number);
		return 0;
	case CONFIG_TYPE_FLOAT:
		ret_literal->type = LITERAL_REAL;
		snprintf(number, NUMBER_TEXT_SIZE, "%.9g", config_setting_get_float(setting));
		return 0;
	case CONFIG_TYPE_BOOL:
		ret_literal->type = LITERAL_BOOLEAN;
		ret_literal->text = config_setting_get_bool(setting) ? "true" : "false";
		return 0;
	case CONFIG_TYPE_STRING:
		ret_literal->type = LITERAL_STRING;
		ret_literal->text = config_setting_get_string(setting);
		return 0;
	case CONFIG_TYPE_GROUP:
		ret_literal->type = LITERAL_GROUP;
		return 0;
	default:
		return list_literal(setting, ret_literal, ret_items);
	}
}

int settings_strings(const config_setting_t *setting, struct text_list *ret_strings)
{
	char number[NUMBER_TEXT_SIZE];
	const char **items;
	struct literal literal;
	int r = make_literal(setting, number, &literal, &items);
	if (r < 0)
		return r;
	if (literal.type == LITERAL_LIST)
		r = text_list_copy(ret_strings, items, literal.n);
	else if (literal.type == LITERAL_STRING)
		r = text_list_copy(ret_strings, &literal.text, 1);
	else
		r = -EINVAL;
	free(items);
	return r;
}

static const char *place_name(unsigned places)
{
	if (places & PLACE_GLOBAL)
		return "at the top of the main file";
	return places & PLACE_DEFAULTS ? "in a service or in defaults" : "in a service";
}

static void tell_unknown(struct draft *draft, const char *name, unsigned line)
{
	char path[PATH_TEXT_SIZE];
	const char *closest = key_closest(name, draft->place);
	const struct config_key *elsewhere = key_find(name, ~0U);
	const char *remedy = foreign_key_remedy(name);
	draft_path(draft, name, path);
	if (elsewhere)
		problem_add(draft->problems, draft->file, line, path, "is misplaced; it belongs %s",
			place_name(elsewhere->places));
	else if (remedy)
		problem_add(draft->problems, draft->file, line, path, "is a key of xinetd; %s", remedy);
	else if (closest)
		problem_add(draft->problems, draft->file, line, path,
			"unknown key; did you mean \"%s\"?", closest);
	else
		problem_add(draft->problems, draft->file, line, path,
			"unknown key; remove it (fdsup.conf(5) lists all keys)");
}

/* Reads the value into its field or, for a key that has none, looks whether it could be read. */
static int read_literal(struct draft *draft, const struct config_key *key,
	const config_setting_t *setting, char *reason)
{
	char number[NUMBER_TEXT_SIZE];
	const char **items;
	struct literal literal;
	int r = make_literal(setting, number, &literal, &items);
	if (r < 0)
		return r;
	if (key->has_field)
		r = value_parse(key, &literal, key_field(key, draft->fields), reason);
	else
		r = value_check(key, &literal, reason);
	free(items);
	return r;
}

static void read_setting(
	struct draft *draft, const struct config_key *key, const config_setting_t *setting)
{
	char reason[VALUE_REASON_SIZE];
	draft->origins[key - config_keys] = (struct origin){
		.file = draft->file,
		.line = draft->line_offset + config_setting_source_line(setting),
		.is_default = draft->place == PLACE_DEFAULTS,
	};
	int r = read_literal(draft, key, setting, reason);
	if (r == -ENOMEM)
		draft->problems->is_out_of_memory = true;
	else if (r < 0)
		draft_problem(draft, key->name, "%s", reason);
	else if (!key->is_supported && key->kind != KEY_GROUP)
		draft_problem(draft, key->name, "is not supported by this version; remove the key");
}

/* One member; `group` is the group of keys it stands in, or NULL. Returns its key, if it has one.
 */
static const struct config_key *read_member(
	struct draft *draft, const config_setting_t *setting, const char *group)
{
	const char *name = config_setting_name(setting);
	char full_name[PATH_TEXT_SIZE];
	if (group) {
		snprintf(full_name, sizeof full_name, "%s.%s", group, name);
		name = full_name;
	}
	const struct config_key *key = key_find(name, draft->place);
	if (key)
		read_setting(draft, key, setting);
	else
		tell_unknown(draft, name, draft->line_offset + config_setting_source_line(setting));
	return key;
}

static const config_setting_t *member_at(const config_setting_t *group, int i)
{
	return config_setting_get_elem((config_setting_t *)group, (unsigned)i);
}

void settings_read(const config_setting_t *group, struct draft *draft)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *setting = member_at(group, i);
		const struct config_key *key = read_member(draft, setting, NULL);
		/* `services` and `defaults` have no keys of their own in this place. */
		if (!key || key->kind != KEY_GROUP || !config_setting_is_group(setting) ||
			!key_has_members(key))
			continue;
		for (int j = 0; j < config_setting_length(setting); j++)
			read_member(draft, member_at(setting, j), key->name);
	}
}
