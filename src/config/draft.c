#include "config/draft.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct origin *find_origin(const struct draft *draft, const char *key)
{
	unsigned places = draft->place | (draft->place == PLACE_SERVICE ? PLACE_DEFAULTS : 0);
	const struct config_key *row = key_find(key, places);
	return row ? &draft->origins[row - config_keys] : NULL;
}

bool draft_has(const struct draft *draft, const char *key)
{
	const struct origin *origin = find_origin(draft, key);
	return origin && origin->line;
}

bool draft_has_own(const struct draft *draft, const char *key)
{
	const struct origin *origin = find_origin(draft, key);
	return origin && origin->line && !origin->is_default;
}

char *draft_path(const struct draft *draft, const char *key, char text[PATH_TEXT_SIZE])
{
	const char *between = draft->path[0] && key ? "." : "";
	snprintf(text, PATH_TEXT_SIZE, "%s%s%s", draft->path, between, key ? key : "");
	return text;
}

/* suffix: what follows the key in the path. */
static void tell(struct draft *draft, const char *key, const char *suffix, const char *format,
	va_list arguments)
{
	char path[PATH_TEXT_SIZE], full_path[PATH_TEXT_SIZE + 32];
	char *text;
	const struct origin *origin = key ? find_origin(draft, key) : NULL;
	bool is_written = origin && origin->line;
	if (vasprintf(&text, format, arguments) < 0) {
		draft->problems->is_out_of_memory = true;
		return;
	}
	draft_path(draft, key, path);
	if (is_written && origin->is_default)
		snprintf(path, sizeof path, "defaults.%s", key);
	snprintf(full_path, sizeof full_path, "%s%s", path, suffix);
	problem_add(draft->problems, is_written ? origin->file : draft->file,
		is_written ? origin->line : draft->line, full_path, "%s", text);
	free(text);
}

void draft_problem(struct draft *draft, const char *key, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	tell(draft, key, "", format, arguments);
	va_end(arguments);
}

void draft_item_problem(struct draft *draft, const char *key, size_t item, const char *format, ...)
{
	char suffix[32];
	va_list arguments;
	snprintf(suffix, sizeof suffix, "[%zu]", item);
	va_start(arguments, format);
	tell(draft, key, suffix, format, arguments);
	va_end(arguments);
}
