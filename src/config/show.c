/*
 * The effective configuration in the language of the file, one key a line, by the table of keys.
 * What is shown loads again to the same configuration.
 */
#include <stdlib.h>
#include <string.h>

#include "config/value.h"

struct show {
	void (*print)(void *context, const char *text);
	void *context;
};

/* Which keys of which struct, and how deep they stand. */
struct block {
	const void *fields;
	enum key_place place;
	const char *indent;
};

static void show_line(const struct show *show, const char *indent, const char *text, size_t length)
{
	char *line;
	if (asprintf(&line, "%s%.*s\n", indent, (int)length, text) < 0)
		return;
	show->print(show->context, line);
	free(line);
}

static void show_text(const struct show *show, const char *indent, const char *text)
{
	show_line(show, indent, text, strlen(text));
}

/*
 * Empty, `groups` takes every group away and `allow` lets nobody in: shown only where written. A
 * service that has but a worker socket has no address.
 */
static bool is_written(const struct config_key *key, const struct service_config *service)
{
	if (key->kind == KEY_IDS)
		return service->written->is_groups_given;
	if (!strcmp(key->name, "address"))
		return service->written->address.n > 0;
	if (!strcmp(key->name, "hours"))
		return service->written->hours.n > 0;
	return strcmp(key->name, "allow") != 0 || service->admission->has_allow;
}

static bool is_shown(const struct block *block, const struct config_key *key)
{
	if (!key->has_field || !(key->places & block->place))
		return false;
	if (value_is_absent(key, key_field(key, block->fields)))
		return false;
	if (block->place != PLACE_SERVICE)
		return true;
	const struct service_config *service = block->fields;
	return key_fits(key, service) && is_written(key, service);
}

static void show_key(const struct show *show, const struct block *block,
	const struct config_key *key, const char *name, const char *indent)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	if (!out)
		return;
	fprintf(out, "%s = ", name);
	value_format(key, key_field(key, block->fields), out);
	fputc(';', out);
	if (fclose(out) == 0)
		show_line(show, indent, text, length);
	free(text);
}

/* The rows of a group stand together in the table; `group` is its name with the dot. */
static bool is_in_group(const struct config_key *key, const char *group)
{
	return !strncmp(key->name, group, strlen(group));
}

static void show_group(
	const struct show *show, const struct block *block, const struct config_key *group)
{
	char prefix[32], indent[16], head[40];
	bool is_open = false;
	snprintf(prefix, sizeof prefix, "%s.", group->name);
	snprintf(indent, sizeof indent, "%s\t", block->indent);
	snprintf(head, sizeof head, "%s = {", group->name);
	for (size_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		if (!is_in_group(key, prefix) || !is_shown(block, key))
			continue;
		if (!is_open)
			show_text(show, block->indent, head);
		is_open = true;
		show_key(show, block, key, key->name + strlen(prefix), indent);
	}
	if (is_open)
		show_text(show, block->indent, "};");
}

static void show_block(const struct show *show, const struct block *block)
{
	for (size_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		if (key->kind == KEY_GROUP && (key->places & block->place))
			show_group(show, block, key);
		else if (!strchr(key->name, '.') && is_shown(block, key))
			show_key(show, block, key, key->name, block->indent);
	}
}

static void show_service(const struct show *show, const struct service_config *service)
{
	struct service_config shown = *service;
	struct service_written written = *service->written;
	/* Who runs fdsup may be another one tomorrow. */
	if (!written.user && service->account)
		written.user = service->account->user;
	shown.written = &written;
	struct block block = { &shown, PLACE_SERVICE, "\t\t" };
	char head[128];
	snprintf(head, sizeof head, "%s = {", service->name);
	show_text(show, "\t", head);
	show_block(show, &block);
	show_text(show, "\t", "};");
}

void config_show(
	const struct config *config, void (*print)(void *context, const char *text), void *context)
{
	struct show show = { print, context };
	struct block block = { config, PLACE_GLOBAL, "" };
	show_block(&show, &block);
	show_text(&show, "", "services = {");
	for (size_t i = 0; i < config->n_services; i++)
		show_service(&show, config->services[i]);
	show_text(&show, "", "};");
}
