#include "config/service.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/access.h"
#include "config/check.h"
#include "config/list.h"
#include "config/value.h"

enum { EXEC_WORKERS_MOST = 16, SOCKET_MODE = 0600, DRAIN_MS = 300 * 1000 };

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
	service->written = calloc(1, sizeof *service->written);
	service->limits = calloc(LIMIT_KINDS, sizeof *service->limits);
	service->sockets = calloc(1, sizeof *service->sockets);
	service->surroundings = calloc(1, sizeof *service->surroundings);
	service->admission = calloc(1, sizeof *service->admission);
	service->supervision = calloc(1, sizeof *service->supervision);
	int r = service_has_parts(service) ? 0 : -ENOMEM;
	for (size_t i = 0; i < config_keys_n && r == 0; i++)
		if (key_is_of_service(&config_keys[i]))
			r = value_set_default(&config_keys[i], key_field(&config_keys[i], service));
	return r;
}

static void *copy_of(const void *bytes, size_t n)
{
	void *copy = malloc(n);
	return copy ? memcpy(copy, bytes, n) : NULL;
}

struct service_config *service_copy(const struct service_config *source)
{
	struct service_config *service = malloc(sizeof *service);
	if (!service)
		return NULL;
	*service = *source;
	service->written = copy_of(source->written, sizeof *service->written);
	service->limits = copy_of(source->limits, LIMIT_KINDS * sizeof *service->limits);
	service->sockets = copy_of(source->sockets, sizeof *service->sockets);
	service->surroundings = copy_of(source->surroundings, sizeof *service->surroundings);
	service->admission = copy_of(source->admission, sizeof *service->admission);
	service->supervision = copy_of(source->supervision, sizeof *service->supervision);
	if (!service_has_parts(service)) {
		service_free_parts(service);
		free(service);
		return NULL;
	}
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
	bool has_address = draft_has_own(draft, "port") || draft_has_own(draft, "address") ||
			   draft_has_own(draft, "worker_socket");
	return has_command && !has_address ? SERVICE_DAEMON : SERVICE_EXEC;
}

/* Keys of the service itself must fit its type; those of defaults hold where they fit. */
static void check_fit(struct draft *draft, enum service_type type)
{
	const struct service_config *service = draft->fields;
	for (size_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		const struct origin *origin = &draft->origins[i];
		bool is_own = origin->line && !origin->is_default;
		if (!is_own || key_fits(key, service))
			continue;
		if (strchr(key->name, '.'))
			continue; /* its group tells for all */
		if (type == SERVICE_DAEMON && key_applies(key, SERVICE_EXEC) &&
			!draft_has_own(draft, "type"))
			draft_problem(draft, key->name,
				"means nothing for a service without a port; add the key port, or "
				"remove this one");
		else if (key_applies(key, type))
			draft_problem(draft, key->name,
				"means nothing for a builtin service that answers datagrams; remove the "
				"key, or write protocol = \"tcp\"");
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
			!key_fits(&config_keys[i], service))
			value_fini(&config_keys[i], key_field(&config_keys[i], service));
}

static void tell_result(struct draft *draft, const char *key, int r, const char *reason)
{
	if (r == -EINVAL)
		draft_problem(draft, key, "%s", reason);
	else if (r < 0)
		draft->problems->is_out_of_memory = true;
}

/* A user that is not there is no reason to be silent about its groups. */
static void check_other_parts(struct draft *draft, struct lookups *lookups,
	const struct account_request *request, enum account_part wrong)
{
	char reason[ACCOUNT_REASON_SIZE];
	gid_t gid;
	if (wrong < ACCOUNT_GROUP && request->group)
		tell_result(draft, "group",
			account_find_gid(&lookups->accounts, request->group, &gid, reason), reason);
	for (size_t i = 0; wrong < ACCOUNT_GROUPS && request->groups && i < request->groups->n; i++)
		tell_result(draft, "groups",
			account_find_gid(&lookups->accounts, request->groups->items[i], &gid, reason),
			reason);
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
	service->written->is_groups_given = draft_has(draft, "groups");
	struct account_request request = {
		.user = service->written->user,
		.group = service->written->group,
		.groups = service->written->is_groups_given ? &service->written->groups : NULL,
	};
	service->account = calloc(1, sizeof *service->account);
	if (!service->account) {
		draft->problems->is_out_of_memory = true;
		return;
	}
	int r = account_find(&lookups->accounts, &request, service->account, &part, reason);
	tell_result(draft, keys[part], r, reason);
	if (r == -EINVAL)
		check_other_parts(draft, lookups, &request, part);
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
	int r = program_find(&lookups->programs, service->surroundings->chroot,
		service->command.items[0], &service->command_path, reason);
	tell_result(draft, "command", r, reason);
}

static bool needs_port(const struct service_config *service)
{
	for (size_t i = 0; i < service->written->address.n; i++)
		if (!listen_is_unix(service->written->address.items[i]))
			return true;
	return service->written->address.n == 0;
}

/* 0, or -EINVAL after having told why. */
static int find_port(struct draft *draft, struct lookups *lookups, uint16_t *ret_port)
{
	const struct service_config *service = draft->fields;
	char reason[LISTEN_REASON_SIZE];
	if (!service->written->port) {
		draft_problem(draft, "port",
			"is missing; add port = 8080, or another number or name of a port, or "
			"address = \"unix:/path\" for a service without one");
		return -EINVAL;
	}
	if (listen_find_port(&lookups->ports, service->written->port, service->sockets->protocol,
		    ret_port, reason) < 0) {
		draft_problem(draft, "port", "%s", reason);
		return -EINVAL;
	}
	return 0;
}

/* Other programs that accept send their connections there: it is listened on like an address. */
static void add_entrance(struct draft *draft)
{
	struct service_config *service = draft->fields;
	bool is_entrance = service->type == SERVICE_EXEC || service->type == SERVICE_WORKER;
	if (!service->worker_socket || !is_entrance)
		return;
	struct listen_address *listen = &service->listen[service->n_listen];
	listen->address.family = AF_UNIX;
	listen->is_entrance = true;
	listen->path = strdup(service->worker_socket);
	if (listen->path)
		service->n_listen++;
	else
		draft->problems->is_out_of_memory = true;
}

/* A service may live of its worker socket alone. */
static bool has_addresses(const struct draft *draft)
{
	const struct service_config *service = draft->fields;
	return !service->worker_socket || service->type == SERVICE_EXTERNAL ||
	       draft_has_own(draft, "port") || draft_has_own(draft, "address");
}

static void parse_addresses(struct draft *draft, uint16_t port)
{
	struct service_config *service = draft->fields;
	char reason[LISTEN_REASON_SIZE];
	for (size_t i = 0; i < service->written->address.n; i++) {
		struct listen_address *listen = &service->listen[service->n_listen];
		int r = listen_parse_address(service->written->address.items[i], port, listen, reason);
		if (r == -EINVAL)
			draft_item_problem(draft, "address", i, "%s", reason);
		else if (r < 0)
			draft->problems->is_out_of_memory = true;
		else
			service->n_listen++;
	}
}

static void find_addresses(struct draft *draft, struct lookups *lookups)
{
	struct service_config *service = draft->fields;
	uint16_t port = 0;
	if (!has_addresses(draft))
		text_list_fini(&service->written->address);
	else if (needs_port(service) && find_port(draft, lookups, &port) < 0)
		return;
	else if (service->written->address.n == 0)
		draft_problem(draft, "address",
			"the list is empty; write an address or \"*\", or remove the key");
	service->listen = calloc(service->written->address.n + 2, sizeof *service->listen);
	if (!service->listen) {
		draft->problems->is_out_of_memory = true;
		return;
	}
	parse_addresses(draft, port);
	add_entrance(draft);
}

static bool has_socket_file(const struct service_config *service)
{
	for (size_t i = 0; i < service->n_listen; i++)
		if (service->listen[i].path && service->listen[i].path[0] == '/')
			return true;
	return false;
}

/* Without a file there is nothing that could have an owner; what defaults = { } say is dropped. */
static void drop_socket_keys(struct draft *draft, bool has_worker)
{
	static const char *const keys[] = { "socket_user", "socket_group", "socket_mode" };
	struct service_config *service = draft->fields;
	for (size_t i = has_worker; i < sizeof keys / sizeof *keys; i++)
		if (draft_has_own(draft, keys[i]))
			draft_problem(draft, keys[i],
				"means nothing without an address \"unix:/path\"; remove the key");
	if (!has_worker) {
		free(service->written->socket_user);
		service->written->socket_user = NULL;
	}
	free(service->written->socket_group);
	service->written->socket_group = NULL;
	service->sockets->socket_mode = 0;
}

static void find_socket_owner(struct draft *draft, struct lookups *lookups)
{
	struct service_config *service = draft->fields;
	char reason[ACCOUNT_REASON_SIZE];
	bool has_file = has_socket_file(service), has_worker = service->worker_socket != NULL;
	int r = 0;
	if (!has_file)
		drop_socket_keys(draft, has_worker);
	if (!has_file && !has_worker)
		return;
	service->sockets->socket_uid = geteuid();
	service->sockets->socket_gid = getegid();
	if (!has_file)
		;
	else if (!draft_has(draft, "socket_mode"))
		service->sockets->socket_mode = SOCKET_MODE;
	else if (service->sockets->socket_mode == 0)
		draft_problem(draft, "socket_mode",
			"nobody could connect; write \"0600\" for the owner alone, \"0660\" for the "
			"group, or \"0666\" for all");
	if (service->written->socket_user)
		r = account_find_uid(&lookups->accounts, service->written->socket_user,
			&service->sockets->socket_uid, reason);
	tell_result(draft, "socket_user", r, reason);
	r = 0;
	if (service->written->socket_group)
		r = account_find_gid(&lookups->accounts, service->written->socket_group,
			&service->sockets->socket_gid, reason);
	tell_result(draft, "socket_group", r, reason);
}

/* Defaults of the pool that depend on the type and the machine. */
static void derive_workers(struct draft *draft, const struct lookups *lookups)
{
	struct service_config *service = draft->fields;
	struct service_supervision *supervision = service->supervision;
	bool has_min = draft_has(draft, "workers.min");
	bool has_max = draft_has(draft, "workers.max");
	uint32_t most = lookups->n_cpus < EXEC_WORKERS_MOST ? lookups->n_cpus : EXEC_WORKERS_MOST;
	if (service->type == SERVICE_DAEMON) {
		if (!has_min)
			supervision->workers_min = has_max ? supervision->workers_max : 1;
		if (!has_max)
			supervision->workers_max = supervision->workers_min;
		return;
	}
	/* One process of these serves many connections. */
	if (service->type != SERVICE_EXEC && service->type != SERVICE_WORKER)
		most = 1;
	if (!has_min)
		supervision->workers_min = service->type == SERVICE_WORKER ? 1 : 0;
	if (!has_max)
		supervision->workers_max =
			supervision->workers_min > most ? supervision->workers_min : most;
	/* Two that answer at one address would answer twice as often as `rate` says. */
	if (service_answers_datagrams(service) && !draft_has_own(draft, "workers.min"))
		supervision->workers_min = supervision->workers_min > 0;
	if (service_answers_datagrams(service) && !draft_has_own(draft, "workers.max"))
		supervision->workers_max = supervision->workers_min ? supervision->workers_min : 1;
}

/* A daemon has none to be set, but what it leaves behind must end some time. */
static void derive_drain(struct draft *draft)
{
	struct service_config *service = draft->fields;
	service->supervision->has_drain_timeout =
		draft_has(draft, "drain_timeout") && service->type != SERVICE_DAEMON;
	if (!service->supervision->has_drain_timeout)
		service->supervision->drain_timeout = DRAIN_MS;
}

void service_complete(struct draft *draft, struct lookups *lookups)
{
	struct service_config *service = draft->fields;
	if (!draft_has_own(draft, "type"))
		service->type = derive_type(draft);
	check_fit(draft, service->type);
	drop_unfit(service);
	if (service->type != SERVICE_REDIRECT && service->type != SERVICE_BUILTIN)
		find_account(draft, lookups);
	if (service_type_runs_command(service->type))
		find_program(draft, lookups);
	if (service->type != SERVICE_DAEMON) {
		find_addresses(draft, lookups);
		find_socket_owner(draft, lookups);
	}
	access_complete(draft);
	derive_workers(draft, lookups);
	derive_drain(draft);
	service->written->after_line = draft->origins[key_find("after", PLACE_SERVICE) - config_keys].line;
	check_service(draft);
}
