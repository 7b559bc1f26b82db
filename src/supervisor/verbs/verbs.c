#include "supervisor/verbs/verbs.h"

#include <errno.h>

#include "admin/description.h"
#include "admin/server.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/events.h"
#include "supervisor/verbs/explain.h"
#include "supervisor/verbs/named.h"
#include "supervisor/verbs/orders.h"
#include "supervisor/verbs/repeats.h"
#include "supervisor/verbs/role.h"
#include "supervisor/verbs/snapshot.h"
#include "supervisor/verbs/verbs_connections.h"
#include "supervisor/verbs/verbs_kill.h"
#include "supervisor/verbs/verbs_stream.h"

/*
 * One entry each for the services that a listing asks for, under `key`; those that are still
 * draining after a reload removed them are listed with the others.
 */
static void list(struct supervisor *supervisor, struct admin_call *call, const json_t *parameters,
	const char *key, void (*add)(const struct service *service, json_t *array))
{
	json_t *names;
	if (!named_services(supervisor, call, parameters, true, &names))
		return;
	json_t *array = json_array();
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (is_asked_for(names, supervisor->services[i]->config->name))
			add(supervisor->services[i], array);
	json_decref(names);
	admin_reply(call, json_pack("{s:o}", key, array));
}

static void on_status(void *context, struct admin_call *call, const json_t *parameters)
{
	struct supervisor *supervisor = context;
	const json_t *interval = json_object_get(parameters, "interval_ms");
	bool is_number = json_is_integer(interval) && json_integer_value(interval) >= 0;
	if (interval && !json_is_null(interval) && !is_number) {
		admin_error(call, "InvalidParameter", json_pack("{s:s}", "parameter", "interval_ms"));
		return;
	}
	json_t *names;
	if (!named_services(supervisor, call, parameters, true, &names))
		return;
	if (admin_call_wants_more(call)) {
		uint64_t ms = is_number ? (uint64_t)json_integer_value(interval) : REPEAT_USUAL_MS;
		repeats_add(supervisor, call, names, ms < REPEAT_LEAST_MS ? REPEAT_LEAST_MS : ms);
		return;
	}
	admin_reply(call, snapshot_status(supervisor, names));
	json_decref(names);
}

/* Also of services that are no longer there; a name that nobody knows is refused all the same. */
static void on_deaths(void *context, struct admin_call *call, const json_t *parameters)
{
	struct supervisor *supervisor = context;
	const char *name = json_string_value(json_object_get(parameters, "service"));
	const json_t *limit = json_object_get(parameters, "limit");
	json_int_t n = json_is_integer(limit) ? json_integer_value(limit) : DEATHS_KEPT_OF_SERVICE;
	if (n < 0) {
		admin_error(call, "InvalidParameter", json_pack("{s:s}", "parameter", "limit"));
		return;
	}
	json_t *deaths = death_list_last_of_both(
		&supervisor->deaths, &supervisor->command_deaths, name, (size_t)n);
	if (name && !json_array_size(deaths) && !supervisor_find(supervisor, name)) {
		json_decref(deaths);
		refuse_unknown(supervisor, call, name);
		return;
	}
	admin_reply(call, json_pack("{s:o}", "deaths", deaths));
}

static void on_listeners(void *context, struct admin_call *call, const json_t *parameters)
{
	list(context, call, parameters, "listeners", snapshot_add_listeners);
}

static void on_workers(void *context, struct admin_call *call, const json_t *parameters)
{
	list(context, call, parameters, "workers", snapshot_add_workers);
}

const struct admin_verb verbs_table[] = {
	{ "Status", ADMIN_ROLE_STATUS, on_status },
	{ "Listeners", ADMIN_ROLE_STATUS, on_listeners },
	{ "Workers", ADMIN_ROLE_STATUS, on_workers },
	{ "Deaths", ADMIN_ROLE_STATUS, on_deaths },
	{ "Explain", ADMIN_ROLE_STATUS, on_explain },
	{ "Connections", ADMIN_ROLE_STATUS, on_connections },
	{ "Logs", ADMIN_ROLE_STATUS, on_logs },
	{ "Events", ADMIN_ROLE_STATUS, on_events },
	{ "Wait", ADMIN_ROLE_STATUS, on_wait },
	{ "Start", ADMIN_ROLE_CONTROL, on_start },
	{ "Stop", ADMIN_ROLE_CONTROL, on_stop },
	{ "Restart", ADMIN_ROLE_CONTROL, on_restart },
	{ "Drain", ADMIN_ROLE_CONTROL, on_drain },
	{ "Pause", ADMIN_ROLE_CONTROL, on_pause },
	{ "Resume", ADMIN_ROLE_CONTROL, on_resume },
	{ "KillConnection", ADMIN_ROLE_CONTROL, on_kill_connection },
	{ "Reload", ADMIN_ROLE_CONTROL, on_reload },
	{ "Upgrade", ADMIN_ROLE_CONTROL, on_upgrade },
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
	events_follow(supervisor);
	interface.context = supervisor;
	interface.description = description_fdsup;
	supervisor->admin = admin_server_create(supervisor->loop, listen_fd, &interface);
	return supervisor->admin ? 0 : -ENOMEM;
}
