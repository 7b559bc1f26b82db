#include "supervisor/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/description.h"
#include "admin/server.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/published.h"
#include "supervisor/reload.h"
#include "supervisor/service.h"
#include "supervisor/snapshot.h"
#include "supervisor/supervisor.h"
#include "supervisor/waits.h"

/* ---- who asks -------------------------------------------------------------------------------- */

static bool has_uid(const uid_t *uids, size_t n, uid_t uid)
{
	for (size_t i = 0; i < n; i++)
		if (uids[i] == uid)
			return true;
	return false;
}

static bool has_gid(const gid_t *gids, size_t n, gid_t gid)
{
	for (size_t i = 0; i < n; i++)
		if (gids[i] == gid)
			return true;
	return false;
}

static enum admin_role role_of(void *context, const struct ucred *peer)
{
	const struct config *config = ((struct supervisor *)context)->config;
	if (peer->uid == 0 || peer->uid == geteuid() ||
		has_uid(config->control_uids, config->n_control_uids, peer->uid) ||
		has_gid(config->control_gids, config->n_control_gids, peer->gid))
		return ADMIN_ROLE_CONTROL;
	if (config->is_status_public ||
		has_uid(config->status_uids, config->n_status_uids, peer->uid) ||
		has_gid(config->status_gids, config->n_status_gids, peer->gid))
		return ADMIN_ROLE_STATUS;
	return ADMIN_ROLE_NONE;
}

/* ---- which services -------------------------------------------------------------------------- */

static void refuse_unknown(struct supervisor *supervisor, struct admin_call *call, const char *name)
{
	const char **names = calloc(supervisor->n_services + 1, sizeof *names);
	const char *suggestion = NULL;
	for (size_t i = 0; names && i < supervisor->n_services; i++)
		names[i] = supervisor->services[i]->config->name;
	if (names)
		suggestion = text_closest(name, names, supervisor->n_services);
	admin_error(call, "org.fdsup.UnknownService",
		json_pack("{s:s, s:s?}", "service", name, "suggestion", suggestion));
	free(names);
}

static bool is_listed(const struct supervisor *supervisor, const char *name)
{
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (!strcmp(supervisor->services[i]->config->name, name))
			return true;
	return false;
}

/*
 * The services that the call names, as an array of strings that is the caller's; without names, all
 * that are configured if `is_all_meant`. NULL: the call was answered with an error.
 */
static json_t *named_services(struct supervisor *supervisor, struct admin_call *call,
	const json_t *parameters, bool is_all_meant)
{
	const json_t *given = json_object_get(parameters, "services");
	bool is_list = !given || json_is_null(given) || json_is_array(given);
	json_t *names = json_array();
	if (is_list && json_array_size(given) == 0 && is_all_meant) {
		for (size_t i = 0; i < supervisor->n_services; i++)
			json_array_append_new(
				names, json_string(supervisor->services[i]->config->name));
		return names;
	}
	size_t i;
	json_t *item;
	json_array_foreach(given, i, item) {
		const char *name = json_string_value(item);
		bool is_known = name && (is_all_meant ? is_listed(supervisor, name)
						      : supervisor_find(supervisor, name) != NULL);
		if (is_known) {
			json_array_append(names, item);
			continue;
		}
		json_decref(names);
		if (name)
			refuse_unknown(supervisor, call, name);
		else
			admin_error(call, "InvalidParameter",
				json_pack("{s:s}", "parameter", "services"));
		return NULL;
	}
	if (json_array_size(names) > 0)
		return names;
	json_decref(names);
	admin_error(call, "InvalidParameter", json_pack("{s:s}", "parameter", "services"));
	return NULL;
}

static bool is_asked_for(const json_t *names, const char *name)
{
	size_t i;
	json_t *item;
	json_array_foreach(names, i, item)
		if (!strcmp(json_string_value(item), name))
			return true;
	return false;
}

/*
 * One entry each for the services that a listing asks for, under `key`; those that are still
 * draining after a reload removed them are listed with the others.
 */
static void list(struct supervisor *supervisor, struct admin_call *call, const json_t *parameters,
	const char *key, void (*add)(const struct service *service, json_t *array))
{
	json_t *names = named_services(supervisor, call, parameters, true);
	if (!names)
		return;
	json_t *array = json_array();
	/* All of a thousand are not looked up among a thousand names each. */
	bool is_all = json_array_size(json_object_get(parameters, "services")) == 0;
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (is_all || is_asked_for(names, supervisor->services[i]->config->name))
			add(supervisor->services[i], array);
	json_decref(names);
	json_t *reply = json_pack("{s:o}", key, array);
	if (!strcmp(key, "services"))
		json_object_set_new(reply, "daemon", snapshot_daemon(supervisor));
	admin_reply(call, reply);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void add_service(const struct service *service, json_t *array)
{
	json_array_append_new(array, snapshot_service(service));
}

static void on_status(void *context, struct admin_call *call, const json_t *parameters)
{
	list(context, call, parameters, "services", add_service);
}

static void on_listeners(void *context, struct admin_call *call, const json_t *parameters)
{
	list(context, call, parameters, "listeners", snapshot_add_listeners);
}

static void on_workers(void *context, struct admin_call *call, const json_t *parameters)
{
	list(context, call, parameters, "workers", snapshot_add_workers);
}

/* ---- changing -------------------------------------------------------------------------------- */

static bool refuse_while_stopping(struct supervisor *supervisor, struct admin_call *call)
{
	if (supervisor->is_stopping)
		admin_error(call, "org.fdsup.Busy", json_pack("{s:s}", "reason", "fdsup is stopping"));
	return supervisor->is_stopping;
}

static void log_order(struct admin_call *call, const char *verb, const json_t *names)
{
	const struct ucred *peer = admin_call_peer(call);
	size_t i;
	json_t *name;
	json_array_foreach(names, i, name)
		log_notice("%s: %s ordered by uid %u (pid %d)", json_string_value(name), verb, peer->uid,
			(int)peer->pid);
}

/* Binds and starts one that is stopped. false: it could not, and the reason is in error. */
static bool start_stopped(struct service *service, char error[LISTENERS_ERROR_SIZE])
{
	if (service_bind(service, error) < 0)
		return false;
	service_start(service);
	return true;
}

typedef void order_one(struct service *service);

static void stop_one(struct service *service)
{
	service->is_wanted = false;
	service_raise(service, EVENT_STOP);
}

static void start_one(struct service *service)
{
	if (service->state != STATE_STOPPED)
		service_start(service);
}

static void restart_one(struct service *service)
{
	if (service->state == STATE_STOPPED)
		return;
	service->is_wanted = true;
	service_forget_failures(service);
	service_raise(service, EVENT_RESTART);
}

static void order(struct supervisor *supervisor, struct admin_call *call, const json_t *parameters,
	const char *verb, order_one *act, enum wait_for what)
{
	if (refuse_while_stopping(supervisor, call))
		return;
	json_t *names = named_services(supervisor, call, parameters, false);
	if (!names)
		return;
	log_order(call, verb, names);
	size_t i;
	json_t *name;
	json_array_foreach(names, i, name) {
		struct service *service = supervisor_find(supervisor, json_string_value(name));
		char error[LISTENERS_ERROR_SIZE];
		bool must_bind = what == WAIT_STARTED && service->state == STATE_STOPPED;
		if (!must_bind) {
			act(service);
		} else if (!start_stopped(service, error)) {
			log_error("%s", error);
			json_decref(names);
			admin_error(call, "org.fdsup.Failed", json_pack("{s:s}", "reason", error));
			return;
		}
	}
	published_write(supervisor);
	waits_add(supervisor, call, what, names);
}

static void on_start(void *context, struct admin_call *call, const json_t *parameters)
{
	order(context, call, parameters, "start", start_one, WAIT_STARTED);
}

static void on_stop(void *context, struct admin_call *call, const json_t *parameters)
{
	order(context, call, parameters, "stop", stop_one, WAIT_STOPPED);
}

static void on_restart(void *context, struct admin_call *call, const json_t *parameters)
{
	order(context, call, parameters, "restart", restart_one, WAIT_STARTED);
}

static void on_reload(void *context, struct admin_call *call, const json_t *parameters)
{
	struct supervisor *supervisor = context;
	const json_t *dry_run = json_object_get(parameters, "dry_run");
	if (refuse_while_stopping(supervisor, call))
		return;
	/* A dry run that is asked for wrongly must not become a real one. */
	if (dry_run && !json_is_boolean(dry_run) && !json_is_null(dry_run))
		admin_error(call, "InvalidParameter", json_pack("{s:s}", "parameter", "dry_run"));
	else
		reload_request(supervisor, call, json_is_true(dry_run));
}

const struct admin_verb verbs_table[] = {
	{ "Status", ADMIN_ROLE_STATUS, on_status },
	{ "Listeners", ADMIN_ROLE_STATUS, on_listeners },
	{ "Workers", ADMIN_ROLE_STATUS, on_workers },
	{ "Start", ADMIN_ROLE_CONTROL, on_start },
	{ "Stop", ADMIN_ROLE_CONTROL, on_stop },
	{ "Restart", ADMIN_ROLE_CONTROL, on_restart },
	{ "Reload", ADMIN_ROLE_CONTROL, on_reload },
};

const size_t verbs_table_n = sizeof verbs_table / sizeof *verbs_table;

int verbs_serve(struct supervisor *supervisor, int listen_fd)
{
	static struct admin_interface interface = {
		.name = "org.fdsup",
		.verbs = verbs_table,
		.n_verbs = sizeof verbs_table / sizeof *verbs_table,
		.vendor = "fdsup",
		.product = "fdsup",
		.version = FDSUP_VERSION,
		.url = "https://fdsup.org",
		.role_of = role_of,
	};
	interface.context = supervisor;
	interface.description = description_fdsup;
	supervisor->admin = admin_server_create(supervisor->loop, listen_fd, &interface);
	return supervisor->admin ? 0 : -ENOMEM;
}
