#include "supervisor/reload/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "supervisor/reload/plan_steps.h"
#include "supervisor/reload/roll.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"
#include "wire/scoreboard.h"

/* As Change.action of the admin channel. */
static const char *const action_names[] = {
	[ACT_KEEP] = "keep",     [ACT_APPLY] = "apply",     [ACT_ROLL] = "roll",
	[ACT_REBIND] = "rebind", [ACT_REPLACE] = "replace", [ACT_START] = "start",
	[ACT_STOP] = "stop",     [ACT_ADD] = "add",         [ACT_REMOVE] = "remove",
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

const struct service_config *step_wanted(const struct step *step)
{
	return step->created ? step->created->config : step->config;
}

static void add_key(void *context, const char *key)
{
	size_t i;
	json_t *known;
	json_array_foreach((json_t *)context, i, known)
		if (!strcmp(json_string_value(known), key))
			return;
	json_array_append_new(context, json_string(key));
}

/* The configuration that it has, or that it may have in a moment. */
static bool is_still_tried(const struct service *service, const struct service_config *config)
{
	const struct service_config *tried = roll_tried(service);
	return tried && config && service_config_compare(tried, config) == CHANGE_NONE;
}

static void plan_existing(struct step *step)
{
	static const enum step_action actions[] = {
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
		if (step_wanted(&plan->steps[i]))
			builtin_ports_add(&plan->builtin_ports, step_wanted(&plan->steps[i]));
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

/* ---- the transaction ------------------------------------------------------------------------- */

static json_t *describe(const struct plan *plan)
{
	json_t *changes = json_array();
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct step *step = &plan->steps[i];
		const struct service_config *config = step_wanted(step);
		if (!config)
			config = step->service->config;
		json_array_append_new(changes,
			json_pack("{s:s, s:s, s:O}", "service", config->name, "action",
				action_names[step->action], "keys", step->keys));
	}
	return changes;
}

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
	plan_switch(plan);
	log_changes(changes);
	return changes;
}

int plan_apply(struct supervisor *supervisor, struct config *config, bool is_dry_run,
	json_t **ret_changes, json_t *errors)
{
	struct plan plan = { .supervisor = supervisor, .config = config, .errors = errors };
	int r = make_plan(&plan);
	if (r == 0)
		r = plan_bind(&plan);
	if (r == 0)
		*ret_changes = carry_out_plan(&plan, is_dry_run);
	plan_fini(&plan);
	return r;
}
