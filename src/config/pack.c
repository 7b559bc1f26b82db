#include "config/pack.h"

#include <stdlib.h>
#include <string.h>

#include "config/keys.h"
#include "config/value.h"

/* Where the bytes now lie; while only counting, where they lay. */
static void *put(struct pack *pack, const void *bytes, size_t n, size_t alignment)
{
	size_t start = (pack->used + alignment - 1) & ~(alignment - 1);
	if (!bytes)
		return NULL;
	pack->used = start + n;
	if (!pack->base)
		return (void *)bytes;
	if (pack->used > pack->size) {
		pack->is_full = true;
		pack->used = start;
		return NULL;
	}
	return memcpy(pack->base + start, bytes, n);
}

static void *put_aligned(struct pack *pack, const void *bytes, size_t n)
{
	return put(pack, bytes, n, _Alignof(uint64_t));
}

static char *put_text(struct pack *pack, const char *text)
{
	return text ? put(pack, text, strlen(text) + 1, 1) : NULL;
}

/* First the array, with the NULL that ends an argument vector, then what it points to. */
static char **put_texts(struct pack *pack, char *const *items, size_t n)
{
	static char *const end;
	char **placed = put_aligned(pack, items, n * sizeof *items);
	if (items)
		put(pack, &end, sizeof end, sizeof end);
	for (size_t i = 0; i < n; i++) {
		char *text = put_text(pack, items[i]);
		if (pack->base && placed)
			placed[i] = text;
	}
	return placed;
}

static void pack_key(struct pack *pack, const struct config_key *key, void *field)
{
	char **text = value_owned_text(key, field);
	struct text_list *list = value_owned_list(key, field);
	if (text)
		*text = key->is_resolved ? NULL : put_text(pack, *text);
	else if (list && key->is_resolved)
		*list = (struct text_list){ 0 };
	else if (list)
		list->items = put_texts(pack, list->items, list->n);
}

static void pack_keys(struct pack *pack, void *fields, enum key_place place)
{
	for (size_t i = 0; i < config_keys_n; i++)
		if (config_keys[i].has_field && (config_keys[i].places & place))
			pack_key(pack, &config_keys[i], key_field(&config_keys[i], fields));
}

static void pack_account(struct pack *pack, struct account *account)
{
	account->user = put_text(pack, account->user);
	account->home = put_text(pack, account->home);
	account->shell = put_text(pack, account->shell);
	account->groups =
		put_aligned(pack, account->groups, account->n_groups * sizeof *account->groups);
}

static struct listen_address *put_listen(
	struct pack *pack, const struct listen_address *listen, size_t n)
{
	struct listen_address *placed = put_aligned(pack, listen, n * sizeof *listen);
	for (size_t i = 0; i < n; i++) {
		char *path = put_text(pack, listen[i].path);
		if (pack->base && placed)
			placed[i].path = path;
	}
	return placed;
}

/* What a struct owns is packed through a copy of it, so that counting changes nothing. */
static struct service_config *pack_service(struct pack *pack, const struct service_config *source)
{
	struct service_config *placed = put_aligned(pack, source, sizeof *source);
	struct service_config service = *source;
	pack_keys(pack, &service, PLACE_SERVICE);
	pack_account(pack, &service.account);
	service.name = put_text(pack, service.name);
	service.file = put_text(pack, service.file);
	bool is_as_written = source->command_path && source->command.n &&
			     !strcmp(source->command_path, source->command.items[0]);
	service.command_path = is_as_written && pack->base && service.command.items
				       ? service.command.items[0]
				       : put_text(pack, is_as_written ? NULL : source->command_path);
	service.worker_socket = put_text(pack, service.worker_socket);
	service.listen = put_listen(pack, service.listen, service.n_listen);
	service.is_packed = true;
	if (pack->base && placed)
		*placed = service;
	return placed;
}

static void pack_ids(struct pack *pack, struct config *config)
{
	config->control_uids =
		put_aligned(pack, config->control_uids, config->n_control_uids * sizeof(uid_t));
	config->control_gids =
		put_aligned(pack, config->control_gids, config->n_control_gids * sizeof(gid_t));
	config->status_uids =
		put_aligned(pack, config->status_uids, config->n_status_uids * sizeof(uid_t));
	config->status_gids =
		put_aligned(pack, config->status_gids, config->n_status_gids * sizeof(gid_t));
}

/* All but what the services own; their array still points to those of the source. */
static struct config *pack_globals(struct pack *pack, const struct config *source)
{
	struct config *placed = put_aligned(pack, source, sizeof *source);
	struct config config = *source;
	pack_keys(pack, &config, PLACE_GLOBAL);
	pack_account(pack, &config.acceptor_account);
	pack_ids(pack, &config);
	config.file = put_text(pack, config.file);
	config.log_file = put_text(pack, config.log_file);
	config.services =
		put_aligned(pack, config.services, config.n_services * sizeof *config.services);
	config.is_packed = true;
	if (pack->base && placed)
		*placed = config;
	return placed;
}

struct config *config_pack(struct pack *pack, const struct config *source)
{
	struct config *config = pack_globals(pack, source);
	for (size_t i = 0; i < source->n_services; i++) {
		struct service_config *service = pack_service(pack, source->services[i]);
		if (pack->base && !pack->is_full)
			config->services[i] = service;
	}
	return pack->is_full ? NULL : config;
}

struct config_errors *config_errors_pack(struct pack *pack, const struct config_errors *source)
{
	struct config_errors *errors = put_aligned(pack, source, sizeof *source);
	char **items = put_aligned(pack, source->items, source->n * sizeof *items);
	for (size_t i = 0; i < source->n; i++) {
		char *text = put_text(pack, source->items[i]);
		if (pack->base && items)
			items[i] = text;
	}
	if (pack->is_full)
		return NULL;
	errors->items = items;
	return errors;
}

static struct service_config *copy_service(const struct service_config *source)
{
	struct pack pack = { 0 };
	pack_service(&pack, source);
	pack = (struct pack){ .base = malloc(pack.used), .size = pack.used };
	return pack.base ? pack_service(&pack, source) : NULL;
}

struct config *config_copy(const struct config *source)
{
	struct pack pack = { 0 };
	pack_globals(&pack, source);
	pack = (struct pack){ .base = malloc(pack.used), .size = pack.used };
	struct config *config = pack.base ? pack_globals(&pack, source) : NULL;
	if (!config)
		return NULL;
	config->n_services = 0;
	for (size_t i = 0; i < source->n_services; i++) {
		config->services[i] = copy_service(source->services[i]);
		if (!config->services[i]) {
			config_free(config);
			return NULL;
		}
		config->n_services++;
	}
	return config;
}
