#include "supervisor/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/builtin_ports.h"
#include "config/pack.h"
#include "supervisor/bound_name.h"
#include "supervisor/log_output.h"
#include "supervisor/published.h"
#include "supervisor/roll.h"
#include "supervisor/sequence.h"
#include "supervisor/runtime_dir.h"
#include "supervisor/service.h"
#include "supervisor/supervisor.h"
#include "wire/scoreboard.h"

enum action {
	ACT_KEEP,
	ACT_APPLY,
	ACT_ROLL,
	ACT_REBIND,
	ACT_REPLACE, /* a service of another type takes the place of this one */
	ACT_START,   /* it is no longer disabled */
	ACT_STOP,
	ACT_ADD,
	ACT_REMOVE,
};

/* As Change.action of the admin channel. */
static const char *const action_names[] = {
	[ACT_KEEP] = "keep",     [ACT_APPLY] = "apply",     [ACT_ROLL] = "roll",
	[ACT_REBIND] = "rebind", [ACT_REPLACE] = "replace", [ACT_START] = "start",
	[ACT_STOP] = "stop",     [ACT_ADD] = "add",         [ACT_REMOVE] = "remove",
};

/* What becomes of one service. */
struct step {
	enum action action;
	enum config_change change;
	struct service *service;       /* the running one; NULL: it is new */
	struct service *created;       /* ACT_ADD, ACT_REPLACE: the new one; owned until then */
	struct service_config *config; /* owned until it is carried out; NULL: it goes, or is in created */
	struct listener *opened;       /* owned until it is carried out */
	uint32_t n_opened;
	bool is_tried;                 /* it is being tried since an earlier reload: ACT_KEEP */
	bool is_moving;                /* a port goes to it or from it: there is no way back for one alone */
	json_t *keys;
};

struct plan {
	struct supervisor *supervisor;
	struct config *config; /* the new one, without its services */
	struct step *steps;
	size_t n_steps;
	struct builtin_ports builtin_ports; /* those of the new one */
	json_t *errors;
};

static void plan_fini(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct step *step = &plan->steps[i];
		listeners_close(step->opened, step->n_opened);
		if (step->config)
			service_config_free(step->config);
		if (step->created)
			service_destroy(step->created);
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

/* The configuration that is to be in force for it; NULL: it goes. */
static const struct service_config *wanted(const struct step *step)
{
	return step->created ? step->created->config : step->config;
}

/* The configuration that it has, or that it may have in a moment. */
static bool is_still_tried(const struct service *service, const struct service_config *config)
{
	const struct service_config *tried = roll_tried(service);
	return tried && config && service_config_compare(tried, config) == CHANGE_NONE;
}

static void plan_existing(struct step *step)
{
	static const enum action actions[] = {
		[CHANGE_NONE] = ACT_KEEP,
		[CHANGE_APPLY] = ACT_APPLY,
		[CHANGE_ROLL] = ACT_ROLL,
		[CHANGE_REBIND] = ACT_REBIND,
		[CHANGE_REPLACE] = ACT_REPLACE,
	};
	const struct service_config *before = step->service->config;
	step->is_tried = is_still_tried(step->service, step->config);
	if (step->is_tried)
		return; /* ACT_KEEP */
	step->change = service_config_changes(before, step->config, add_key, step->keys);
	step->action = actions[step->change];
	if (step->action == ACT_REPLACE)
		return;
	if (before->is_enabled && !step->config->is_enabled)
		step->action = ACT_STOP;
	else if (!before->is_enabled && step->config->is_enabled)
		step->action = ACT_START;
}

/* Whatever of it can fail, fails now. */
static void create_service(struct plan *plan, struct step *step)
{
	step->created = service_create(plan->supervisor, step->config);
	if (step->created)
		step->config = NULL;
	else
		json_array_append_new(plan->errors,
			json_sprintf("%s:%u: services.%s: out of memory, or more than %d services on "
				     "one acceptor; raise the key acceptors and restart fdsup",
				step->config->file, step->config->line, step->config->name,
				SCOREBOARD_SLOTS));
}

static struct step *add_step(struct plan *plan)
{
	struct step *step = &plan->steps[plan->n_steps++];
	step->keys = json_array();
	return step;
}

static void plan_wanted(struct plan *plan, struct service_config *config)
{
	struct step *step = add_step(plan);
	step->config = config;
	step->service = supervisor_find(plan->supervisor, config->name);
	step->action = step->service ? ACT_KEEP : ACT_ADD;
	if (step->service)
		plan_existing(step);
	if (step->action == ACT_ADD || step->action == ACT_REPLACE)
		create_service(plan, step);
}

static bool is_planned(const struct plan *plan, const struct service *service)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].service == service)
			return true;
	return false;
}

/*
 * A builtin service that answers datagrams was told at its start which ports it must not answer:
 * when one comes or goes, all of them are started anew.
 */
static void spread_builtin_ports(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (wanted(&plan->steps[i]))
			builtin_ports_add(&plan->builtin_ports, wanted(&plan->steps[i]));
	if (builtin_ports_equal(&plan->builtin_ports, &plan->supervisor->builtin_ports))
		return;
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct step *step = &plan->steps[i];
		if ((step->action != ACT_KEEP && step->action != ACT_APPLY) ||
			!service_answers_datagrams(step->config))
			continue;
		step->action = ACT_ROLL;
		step->change = CHANGE_ROLL;
		add_key(step->keys, "services.*.port");
	}
}

static int make_plan(struct plan *plan)
{
	struct supervisor *supervisor = plan->supervisor;
	struct config *config = plan->config;
	size_t n_most = config->n_services + supervisor->n_services;
	plan->steps = calloc(n_most + 1, sizeof *plan->steps);
	if (!plan->steps || supervisor_reserve(supervisor, n_most) < 0) {
		json_array_append_new(plan->errors, json_string("out of memory"));
		return -ENOMEM;
	}
	while (config->n_services)
		plan_wanted(plan, config_take_service(config, config->services[0]->name));
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		if (service->is_leaving || is_planned(plan, service))
			continue;
		struct step *step = add_step(plan);
		step->service = service;
		step->action = ACT_REMOVE;
	}
	spread_builtin_ports(plan);
	return json_array_size(plan->errors) ? -EINVAL : 0;
}

/* ---- binding everything new ------------------------------------------------------------------ */

/* Who is being served at an address cannot be told two things about it. */
static void note_move(struct plan *plan, const struct service_config *config, const struct service *owner)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct step *step = &plan->steps[i];
		step->is_moving |= wanted(step) == config || step->service == owner;
	}
}

static struct step *step_of(struct plan *plan, const struct service_config *config)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (wanted(&plan->steps[i]) == config)
			return &plan->steps[i];
	return NULL;
}

static bool is_same_interface(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* A socket file that somebody has removed is made anew. */
static bool is_as_wanted(const struct service *service, const struct listener *listener,
	const struct service_config *config)
{
	const struct service_config *before = service->config;
	return listener->name ? bound_name_is_there(listener->name)
			      : before->is_v6only == config->is_v6only &&
					before->has_freebind == config->has_freebind &&
					is_same_interface(before->interface, config->interface);
}

/*
 * An address that we have bound already is not bound again: its socket goes over to the service
 * that has the address now, with all that waits in it. (Two services of one configuration cannot
 * share an address, so the one that has it is giving it up, or is the same.) An address that merely
 * overlaps with one of ours, "*" with "127.0.0.1", is bound beside it, which then goes.
 */
static const struct listener *find_among(struct plan *plan, const struct service *service,
	const struct listener *listeners, uint32_t n, const struct service_config *config,
	const struct listen_address *where, bool *ret_shares_port)
{
	const struct step *step = step_of(plan, config);
	for (uint32_t i = 0; i < n; i++) {
		const struct listener *listener = &listeners[i];
		if (listener->where.address.port != where->address.port ||
			service->config->protocol != config->protocol)
			continue;
		bool is_bound = listen_address_equal(&listener->where, where) &&
				is_as_wanted(service, listener, config);
		if (is_bound ? !step || step->service != service : !where->path)
			note_move(plan, config, service);
		if (is_bound)
			return listener;
		if (where->path)
			continue;
		listener_share_port(listener->fd, true);
		*ret_shares_port = true;
	}
	return NULL;
}

static const struct listener *find_bound(void *context, const struct service_config *config,
	const struct listen_address *where, bool *ret_shares_port)
{
	struct plan *plan = context;
	const struct supervisor *supervisor = plan->supervisor;
	const struct listener *found = NULL;
	for (size_t i = 0; i < supervisor->n_services && !found; i++) {
		const struct service *service = supervisor->services[i];
		const struct listener *tried = NULL;
		found = find_among(plan, service, service->listeners, service->n_listeners, config,
			where, ret_shares_port);
		uint32_t n_tried = roll_listeners(service, &tried);
		if (!found)
			found = find_among(plan, service, tried, n_tried, config, where,
				ret_shares_port);
	}
	return found;
}

static bool needs_listeners(const struct step *step)
{
	const struct service_config *config = wanted(step);
	if (!config || !config->is_enabled || !config->n_listen)
		return false;
	switch (step->action) {
	case ACT_ADD:
	case ACT_REPLACE:
	case ACT_START:
		return true;
	default:
		return step->change >= CHANGE_REBIND && step->service->listeners;
	}
}

static int bind_new(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct step *step = &plan->steps[i];
		char error[LISTENERS_ERROR_SIZE];
		if (!needs_listeners(step))
			continue;
		if (listeners_open(wanted(step), find_bound, plan, &step->opened, &step->n_opened,
			    error) < 0)
			json_array_append_new(plan->errors, json_string(error));
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

static void start_new(struct step *step)
{
	struct service *service = step->created;
	step->created = NULL;
	supervisor_add(service->supervisor, service);
	if (!service->config->is_enabled)
		return;
	give_listeners(service, step);
	sequence_start(service);
}

static void reconfigure(struct step *step)
{
	struct service *service = step->service;
	bool has_others = step->action != ACT_START; /* that are to be replaced */
	bool is_to_be_tried = (step->action == ACT_ROLL || step->action == ACT_REBIND) &&
			      !step->is_moving && roll_is_worth_it(service, step->change);
	struct listener *opened = has_others ? step->opened : NULL;
	uint32_t n_opened = has_others ? step->n_opened : 0;
	roll_supersede(service);
	if (is_to_be_tried)
		roll_begin(service, step->config, step->change, opened, n_opened);
	else
		service_config_free(service_reconfigure(
			service, step->config, step->change, opened, n_opened));
	step->config = NULL;
	if (step->action == ACT_START) {
		give_listeners(service, step);
		sequence_start(service);
	} else if (step->action == ACT_STOP) {
		sequence_stop(service);
	}
	step->opened = NULL;
	step->n_opened = 0;
}

static void remove_service(struct service *service, bool is_replaced)
{
	service->is_wanted = service->is_awaiting = service->is_to_stop = false;
	service->is_leaving = true;
	/* A daemon cannot finish what it has, and its successor may need what it holds. */
	service_raise(service, is_replaced ? EVENT_STOP : EVENT_DRAIN);
	if (service->state == STATE_STOPPED)
		service->supervisor->has_departed = true;
}

static void carry_out(struct step *step)
{
	switch (step->action) {
	case ACT_REMOVE:
		remove_service(step->service, false);
		break;
	case ACT_ADD:
		start_new(step);
		break;
	case ACT_REPLACE:
		start_new(step);
		remove_service(step->service, true);
		break;
	case ACT_KEEP:
		if (step->is_tried && step->is_moving)
			roll_accept(step->service);
		if (step->is_tried)
			break;
		/* fall through */
	default:
		reconfigure(step);
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
		{ "ledger", before->ledger != after->ledger },
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
			log_output_explain(r));
	runtime_dir_set_admin_mode(after);
	supervisor->config = after;
	config_free(before);
}

static json_t *describe(const struct plan *plan)
{
	json_t *changes = json_array();
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct step *step = &plan->steps[i];
		const struct service_config *config = wanted(step) ? wanted(step) : step->service->config;
		json_array_append_new(changes,
			json_pack("{s:s, s:s, s:O}", "service", config->name, "action",
				action_names[step->action], "keys", step->keys));
	}
	return changes;
}

static void forget_failures(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		free(service->reload_failure);
		service->reload_failure = NULL;
	}
}

static void switch_over(struct plan *plan)
{
	struct supervisor *supervisor = plan->supervisor;
	supervisor->builtin_ports = plan->builtin_ports;
	forget_failures(supervisor);
	sequence_hold(supervisor);
	/* What comes first, so that a socket that moves is accepted from without a gap. */
	for (size_t i = 0; i < plan->n_steps; i++)
		carry_out(&plan->steps[i]);
	sequence_release(supervisor);
	switch_globals(supervisor, plan->config);
	plan->config = NULL;
	supervisor->loaded_wall_ms = clock_wall_ms();
	published_write(supervisor);
}

/* ---- the transaction ------------------------------------------------------------------------- */

static void log_changes(const json_t *changes)
{
	size_t i, n_changed = 0;
	json_t *change;
	json_array_foreach(changes, i, change) {
		const char *action = json_string_value(json_object_get(change, "action"));
		if (!strcmp(action, action_names[ACT_KEEP]))
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
