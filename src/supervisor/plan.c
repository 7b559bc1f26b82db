#include "supervisor/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/pack.h"
#include "supervisor/bound_name.h"
#include "supervisor/log_output.h"
#include "supervisor/reload.h"
#include "supervisor/runtime_dir.h"
#include "supervisor/service.h"
#include "supervisor/supervisor.h"

/* What becomes of one service. */
struct step {
	const char *action;            /* a constant, as Change.action */
	struct service *service;       /* the running one; NULL: it is new */
	struct service_config *config; /* owned until it is carried out; NULL: it goes */
	enum config_change change;
	struct listener *opened;       /* owned until it is carried out */
	uint32_t n_opened;
	json_t *keys;
};

struct plan {
	struct supervisor *supervisor;
	struct config *config; /* the new one, without its services */
	struct step *steps;
	size_t n_steps;
	json_t *errors;
};

static void plan_fini(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct step *step = &plan->steps[i];
		listeners_close(step->opened, step->n_opened);
		if (step->config)
			service_config_free(step->config);
		json_decref(step->keys);
	}
	free(plan->steps);
	if (plan->config)
		config_free(plan->config);
}

/* ---- what is to be done ---------------------------------------------------------------------- */

static void add_key(void *context, const char *key)
{
	size_t i;
	json_t *known;
	json_array_foreach((json_t *)context, i, known)
		if (!strcmp(json_string_value(known), key))
			return;
	json_array_append_new(context, json_string(key));
}

static void plan_existing(struct step *step)
{
	static const char *const actions[] = {
		[CHANGE_NONE] = "keep",   [CHANGE_APPLY] = "apply",     [CHANGE_ROLL] = "roll",
		[CHANGE_REBIND] = "rebind", [CHANGE_REPLACE] = "replace",
	};
	const struct service_config *before = step->service->config;
	step->change = service_config_changes(before, step->config, add_key, step->keys);
	step->action = actions[step->change];
	if (before->is_enabled && !step->config->is_enabled)
		step->action = "stop";
	else if (!before->is_enabled && step->config->is_enabled)
		step->action = "start";
}

static struct step *add_step(struct plan *plan)
{
	struct step *step = &plan->steps[plan->n_steps++];
	step->keys = json_array();
	return step;
}

static int make_plan(struct plan *plan)
{
	struct supervisor *supervisor = plan->supervisor;
	struct config *config = plan->config;
	plan->steps = calloc(config->n_services + supervisor->n_services + 1, sizeof *plan->steps);
	if (!plan->steps)
		return -ENOMEM;
	while (config->n_services) {
		struct step *step = add_step(plan);
		step->config = config_take_service(config, config->services[0]->name);
		step->service = supervisor_find(supervisor, step->config->name);
		if (step->service)
			plan_existing(step);
		else
			step->action = "add";
	}
	size_t n_kept = plan->n_steps;
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		size_t j = 0;
		while (j < n_kept && plan->steps[j].service != service)
			j++;
		if (j < n_kept || service->is_leaving)
			continue;
		struct step *step = add_step(plan);
		step->service = service;
		step->action = "remove";
	}
	return 0;
}

/* ---- binding everything new ------------------------------------------------------------------ */

/* A socket file that somebody has removed is made anew. */
static bool is_as_wanted(const struct service *service, const struct listener *listener,
	const struct service_config *config)
{
	return listener->name ? bound_name_is_there(listener->name)
			      : service->config->is_v6only == config->is_v6only;
}

/*
 * An address that we have bound already is not bound again: its socket goes over to the service
 * that has the address now, with all that waits in it. (Two services of one configuration cannot
 * share an address, so the one that has it is giving it up, or is the same.) An address that merely
 * overlaps with one of ours, "*" with "127.0.0.1", is bound beside it, which then goes.
 */
static const struct listener *find_bound(void *context, const struct service_config *config,
	const struct listen_address *where, bool *ret_shares_port)
{
	struct supervisor *supervisor = context;
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		for (uint32_t j = 0; j < service->n_listeners; j++) {
			const struct listener *listener = &service->listeners[j];
			if (listener->where.address.port != where->address.port ||
				service->config->protocol != config->protocol)
				continue;
			if (listen_address_equal(&listener->where, where) &&
				is_as_wanted(service, listener, config))
				return listener;
			if (where->path)
				continue;
			listener_share_port(listener->fd, true);
			*ret_shares_port = true;
		}
	}
	return NULL;
}

static bool needs_listeners(const struct step *step)
{
	if (!step->config || !step->config->is_enabled || !step->config->n_listen)
		return false;
	if (!step->service || !strcmp(step->action, "start") || step->change == CHANGE_REPLACE)
		return true;
	bool is_listening = step->service->n_listeners > 0;
	return is_listening && step->change >= CHANGE_REBIND;
}

static int bind_new(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct step *step = &plan->steps[i];
		char error[LISTENERS_ERROR_SIZE];
		if (!needs_listeners(step))
			continue;
		if (listeners_open(step->config, find_bound, plan->supervisor, &step->opened, error) < 0)
			json_array_append_new(plan->errors, json_string(error));
		else
			step->n_opened = (uint32_t)step->config->n_listen;
	}
	return json_array_size(plan->errors) ? -EINVAL : 0;
}

/* ---- switching ------------------------------------------------------------------------------- */

/* Sockets that were taken over have the options of the service before. */
static void give_listeners(struct service *service, struct step *step)
{
	service->listeners = step->opened;
	service->n_listeners = step->n_opened;
	step->opened = NULL;
	step->n_opened = 0;
	listeners_apply(service->config, service->listeners, service->n_listeners);
}

static void start_new(struct supervisor *supervisor, struct step *step)
{
	struct service *service = service_create(supervisor, step->config);
	if (!service || supervisor_add(supervisor, service) < 0) {
		log_error("%s: out of memory; reload again when there is some", step->config->name);
		return;
	}
	step->config = NULL;
	if (!service->config->is_enabled)
		return;
	give_listeners(service, step);
	service_start(service);
}

static void remove_service(struct service *service, bool is_replaced)
{
	service->is_wanted = false;
	service->is_leaving = true;
	/* A daemon cannot finish what it has, and its successor may need what it holds. */
	service_raise(service, is_replaced ? EVENT_STOP : EVENT_DRAIN);
	if (service->state == STATE_STOPPED)
		service->supervisor->has_departed = true;
}

static void carry_out(struct supervisor *supervisor, struct step *step)
{
	struct service *service = step->service;
	if (!step->config) {
		remove_service(service, false);
	} else if (!service) {
		start_new(supervisor, step);
	} else if (step->change == CHANGE_REPLACE) {
		start_new(supervisor, step);
		remove_service(service, true);
	} else {
		bool is_started = !strcmp(step->action, "start");
		struct listener *opened = is_started ? NULL : step->opened;
		service_reconfigure(service, step->config, step->change, opened,
			is_started ? 0 : step->n_opened);
		step->config = NULL;
		if (is_started) {
			give_listeners(service, step);
			service_start(service);
		} else if (!strcmp(step->action, "stop")) {
			service->is_wanted = false;
			service_raise(service, EVENT_STOP);
		}
		step->opened = NULL;
		step->n_opened = 0;
	}
}

/* Keys of the whole that are fixed at the start. */
static void warn_of_fixed_keys(const struct config *before, const struct config *after)
{
	const struct {
		const char *key;
		bool differs;
	} fixed[] = {
		{ "runtime_dir", strcmp(before->runtime_dir, after->runtime_dir) },
		{ "acceptors", before->n_acceptors != after->n_acceptors },
		{ "acceptor_user", before->acceptor_account.uid != after->acceptor_account.uid },
		{ "admin.socket", strcmp(before->admin_socket, after->admin_socket) },
	};
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (fixed[i].differs)
			log_warning("%s: %s has changed: it takes effect when fdsup is restarted",
				after->file, fixed[i].key);
}

/* A copy, since what is fixed lies in the piece of memory of the one before. NULL: no memory. */
static struct config *with_fixed_keys(struct config *config, const struct config *before)
{
	char *runtime_dir = config->runtime_dir, *admin_socket = config->admin_socket;
	config->runtime_dir = before->runtime_dir;
	config->admin_socket = before->admin_socket;
	struct config *copy = config_copy(config);
	config->runtime_dir = runtime_dir;
	config->admin_socket = admin_socket;
	return copy;
}

/* The new global keys, but for those that are fixed at the start. Takes the configuration. */
static void switch_globals(struct supervisor *supervisor, struct config *config)
{
	struct config *before = supervisor->config;
	warn_of_fixed_keys(before, config);
	struct config *after = with_fixed_keys(config, before);
	config_free(config);
	if (!after) {
		log_error("out of memory: the global keys stay as they were; reload again when there "
			  "is some");
		return;
	}
	int r = log_output_open(after);
	if (r < 0)
		log_error("cannot open the log file %s: %s; the log stays where it was", after->log_file,
			strerror(-r));
	runtime_dir_set_admin_mode(after);
	supervisor->config = after;
	config_free(before);
}

static json_t *describe(const struct plan *plan)
{
	json_t *changes = json_array();
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct step *step = &plan->steps[i];
		const struct service_config *config =
			step->config ? step->config : step->service->config;
		json_array_append_new(changes, json_pack("{s:s, s:s, s:O}", "service", config->name,
						       "action", step->action, "keys", step->keys));
	}
	return changes;
}

static void switch_over(struct plan *plan)
{
	struct supervisor *supervisor = plan->supervisor;
	/* What comes first, so that a socket that moves is accepted from without a gap. */
	for (size_t i = 0; i < plan->n_steps; i++)
		carry_out(supervisor, &plan->steps[i]);
	switch_globals(supervisor, plan->config);
	plan->config = NULL;
	supervisor->loaded_wall_ms = clock_wall_ms();
	reload_publish_listeners(supervisor);
}

/* ---- the transaction ------------------------------------------------------------------------- */

static void log_changes(const json_t *changes)
{
	size_t i, n_changed = 0;
	json_t *change;
	json_array_foreach(changes, i, change) {
		const char *action = json_string_value(json_object_get(change, "action"));
		if (!strcmp(action, "keep"))
			continue;
		n_changed++;
		log_info("%s: reload: %s", json_string_value(json_object_get(change, "service")), action);
	}
	log_notice("reloaded: %zu of %zu services changed", n_changed, json_array_size(changes));
}

/* What was planned, after it was carried out (unless it is a dry run). The caller's. */
static json_t *carry_out_plan(struct plan *plan, bool is_dry_run)
{
	struct supervisor *supervisor = plan->supervisor;
	json_t *changes = describe(plan);
	if (is_dry_run)
		return changes;
	free(supervisor->reload_error);
	supervisor->reload_error = NULL;
	switch_over(plan);
	log_changes(changes);
	return changes;
}

int plan_apply(struct supervisor *supervisor, struct config *config, bool is_dry_run,
	json_t **ret_changes, json_t *errors)
{
	struct plan plan = { .supervisor = supervisor, .config = config, .errors = errors };
	int r = make_plan(&plan);
	if (r == 0)
		r = bind_new(&plan);
	if (r == 0)
		*ret_changes = carry_out_plan(&plan, is_dry_run);
	plan_fini(&plan);
	return r;
}
