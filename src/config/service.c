#include "config/service.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/check.h"
#include "config/list.h"
#include "config/value.h"

enum { EXEC_WORKERS_MOST = 16 };

void lookups_init(struct lookups *lookups)
{
	cpu_set_t cpus;
	*lookups = (struct lookups){ .n_cpus = 1 };
	if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
		lookups->n_cpus = (uint32_t)CPU_COUNT(&cpus);
}

void lookups_fini(struct lookups *lookups)
{
	account_cache_fini(&lookups->accounts);
	program_cache_fini(&lookups->programs);
}

int service_set_defaults(struct service_config *service)
{
	int r = 0;
	for (size_t i = 0; i < config_keys_n && r == 0; i++)
		if (key_is_of_service(&config_keys[i]))
			r = value_set_default(&config_keys[i], key_field(&config_keys[i], service));
	return r;
}

struct service_config *service_copy(const struct service_config *source)
{
	struct service_config *service = malloc(sizeof *service);
	if (!service)
		return NULL;
	*service = *source;
	int r = 0;
	for (size_t i = 0; i < config_keys_n; i++)
		if (key_is_of_service(&config_keys[i]) &&
			value_copy_owned(&config_keys[i], key_field(&config_keys[i], service)) < 0)
			r = -ENOMEM;
	if (r < 0) {
		service_config_free(service);
		return NULL;
	}
	return service;
}

/* What the keys say it is, where `type` is not written. */
static enum service_type derive_type(const struct draft *draft)
{
	bool has_command = draft_has_own(draft, "command");
	if (draft_has_own(draft, "to"))
		return SERVICE_REDIRECT;
	if (draft_has_own(draft, "builtin"))
		return SERVICE_BUILTIN;
	if (draft_has_own(draft, "worker_socket") && !has_command)
		return SERVICE_EXTERNAL;
	bool has_address = draft_has_own(draft, "port") || draft_has_own(draft, "address");
	return has_command && !has_address ? SERVICE_DAEMON : SERVICE_EXEC;
}

static bool is_supported(enum service_type type)
{
	return type != SERVICE_EXTERNAL;
}

/* Keys of the service itself must fit its type; those of defaults hold where they fit. */
static void check_fit(struct draft *draft, enum service_type type)
{
	for (size_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		const struct origin *origin = &draft->origins[i];
		bool is_own = origin->line && !origin->is_default;
		bool is_member = strchr(key->name, '.'); /* its group tells for all */
		if (!is_own || is_member || key_applies(key, type))
			continue;
		if (type == SERVICE_DAEMON && key_applies(key, SERVICE_EXEC) &&
			!draft_has_own(draft, "type"))
			draft_problem(draft, key->name,
				"means nothing for a service without a port; add the key port, or "
				"remove this one");
		else
			draft_problem(draft, key->name,
				"means nothing for type \"%s\"; remove the key, or write another "
				"type",
				service_type_name(type));
	}
}

/* A field that means nothing for the type holds nothing. */
static void drop_unfit(struct service_config *service)
{
	for (size_t i = 0; i < config_keys_n; i++)
		if (key_is_of_service(&config_keys[i]) &&
			!key_applies(&config_keys[i], service->type))
			value_fini(&config_keys[i], key_field(&config_keys[i], service));
}

static void tell_result(struct draft *draft, const char *key, int r, const char *reason)
{
	if (r == -EINVAL)
		draft_problem(draft, key, "%s", reason);
	else if (r < 0)
		draft->problems->is_out_of_memory = true;
}

static void find_account(struct draft *draft, struct lookups *lookups)
{
	static const char *const keys[] = {
		[ACCOUNT_USER] = "user",
		[ACCOUNT_GROUP] = "group",
		[ACCOUNT_GROUPS] = "groups",
	};
	struct service_config *service = draft->fields;
	char reason[ACCOUNT_REASON_SIZE];
	enum account_part part;
	service->is_groups_given = draft_has(draft, "groups");
	struct account_request request = {
		.user = service->user,
		.group = service->group,
		.groups = service->is_groups_given ? &service->groups : NULL,
	};
	int r = account_find(&lookups->accounts, &request, &service->account, &part, reason);
	tell_result(draft, keys[part], r, reason);
}

static void find_program(struct draft *draft, struct lookups *lookups)
{
	struct service_config *service = draft->fields;
	char reason[PROGRAM_REASON_SIZE];
	if (service->command.n == 0) {
		draft_problem(draft, "command",
			"is missing; add command = [ \"/path/of/program\", \"argument\" ]");
		return;
	}
	int r = program_find(
		&lookups->programs, service->command.items[0], &service->command_path, reason);
	tell_result(draft, "command", r, reason);
}

static void find_addresses(struct draft *draft, struct lookups *lookups)
{
	struct service_config *service = draft->fields;
	char reason[LISTEN_REASON_SIZE];
	uint16_t port;
	if (!service->port) {
		draft_problem(draft, "port",
			"is missing; add port = 8080, or another number or name of a port");
		return;
	}
	if (listen_find_port(&lookups->ports, service->port, &port, reason) < 0) {
		draft_problem(draft, "port", "%s", reason);
		return;
	}
	if (service->address.n == 0)
		draft_problem(draft, "address",
			"the list is empty; write an address or \"*\", or remove the key");
	service->listen = calloc(service->address.n + 1, sizeof *service->listen);
	if (!service->listen) {
		draft->problems->is_out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < service->address.n; i++) {
		struct listen_address *listen = &service->listen[service->n_listen];
		const char *text = service->address.items[i];
		if (listen_parse_address(text, port, listen, reason) < 0)
			draft_item_problem(draft, "address", i, "%s", reason);
		else
			service->n_listen++;
	}
}

/* Defaults of the pool that depend on the type and the machine. */
static void derive_workers(struct draft *draft, const struct lookups *lookups)
{
	struct service_config *service = draft->fields;
	bool has_min = draft_has(draft, "workers.min");
	bool has_max = draft_has(draft, "workers.max");
	uint32_t most = lookups->n_cpus < EXEC_WORKERS_MOST ? lookups->n_cpus : EXEC_WORKERS_MOST;
	if (service->type == SERVICE_DAEMON) {
		if (!has_min)
			service->workers_min = has_max ? service->workers_max : 1;
		if (!has_max)
			service->workers_max = service->workers_min;
		return;
	}
	/* One process of these serves many connections. */
	if (service->type != SERVICE_EXEC && service->type != SERVICE_WORKER)
		most = 1;
	if (!has_min)
		service->workers_min = service->type == SERVICE_WORKER ? 1 : 0;
	if (!has_max)
		service->workers_max = service->workers_min > most ? service->workers_min : most;
}

void service_complete(struct draft *draft, struct lookups *lookups)
{
	struct service_config *service = draft->fields;
	if (!draft_has_own(draft, "type"))
		service->type = derive_type(draft);
	check_fit(draft, service->type);
	if (!is_supported(service->type)) {
		draft_problem(draft, "type",
			"type \"%s\" is not supported by this version; write another type, "
			"or remove the service",
			service_type_name(service->type));
		return;
	}
	drop_unfit(service);
	if (service->type != SERVICE_REDIRECT && service->type != SERVICE_BUILTIN) {
		find_account(draft, lookups);
		find_program(draft, lookups);
	}
	if (service->type != SERVICE_DAEMON)
		find_addresses(draft, lookups);
	derive_workers(draft, lookups);
	check_service(draft);
}
