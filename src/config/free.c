/*
 * The end of a configuration, and services that leave it.
 */
#include <stdlib.h>
#include <string.h>

#include "config/account.h"
#include "config/list.h"
#include "config/pack.h"
#include "config/service.h"
#include "config/value.h"

static void fields_fini(void *fields, enum key_place place)
{
	for (size_t i = 0; i < config_keys_n; i++)
		if (config_keys[i].has_field && (config_keys[i].places & place))
			value_fini(&config_keys[i], key_field(&config_keys[i], fields));
}

bool service_has_parts(const struct service_config *service)
{
	return service->written && service->limits && service->sockets && service->surroundings &&
	       service->admission && service->supervision;
}

void service_free_parts(struct service_config *service)
{
	free(service->written);
	free(service->limits);
	free(service->sockets);
	free(service->surroundings);
	free(service->admission);
	free(service->supervision);
}

void service_config_free(struct service_config *service)
{
	if (!service)
		return;
	if (service->pack) {
		pack_release(service->pack);
		return;
	}
	if (service_has_parts(service)) {
		fields_fini(service, PLACE_SERVICE);
		free(service->admission->networks);
		free(service->admission->windows);
	}
	service_free_parts(service);
	if (service->account)
		account_fini(service->account);
	free(service->account);
	free(service->name);
	free(service->file);
	for (size_t i = 0; i < service->n_listen; i++)
		free(service->listen[i].path);
	free(service->listen);
	free(service->command_path);
	free(service);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_services; i++)
		service_config_free(config->services[i]);
	if (config->pack) {
		pack_release(config->pack);
		return;
	}
	free(config->services);
	for (size_t i = 0; i < config->n_texts; i++) {
		free(config->texts[i].path);
		free(config->texts[i].text);
	}
	free(config->texts);
	text_list_fini(&config->warnings);
	fields_fini(config, PLACE_GLOBAL);
	account_fini(&config->acceptor_account);
	free(config->file);
	free(config->control_uids);
	free(config->control_gids);
	free(config->status_uids);
	free(config->status_gids);
	free(config->log_file);
	free(config);
}

static int compare_name(const void *name, const void *entry)
{
	const struct service_config *const *service = entry;
	return strcmp(name, (*service)->name);
}

struct service_config *config_take_service(struct config *config, const char *name)
{
	if (config->n_services == 0)
		return NULL;
	struct service_config **entry =
		bsearch(name, config->services, config->n_services, sizeof *entry, compare_name);
	if (!entry)
		return NULL;
	struct service_config *service = *entry;
	size_t n_behind = config->n_services - 1 - (size_t)(entry - config->services);
	memmove(entry, entry + 1, n_behind * sizeof *entry);
	config->n_services--;
	return service;
}
