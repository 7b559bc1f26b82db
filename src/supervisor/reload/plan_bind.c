/*
 * Binding everything new of a plan: what is bound already is found again, and goes over with all
 * that waits in it.
 */
#include <errno.h>
#include <string.h>

#include "supervisor/listeners/bound_name.h"
#include "supervisor/listeners/listeners.h"
#include "supervisor/reload/plan_steps.h"
#include "supervisor/reload/roll.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"

/* Who is being served at an address cannot be told two things about it. */
static void note_move(struct plan *plan, const struct service_config *config, const struct service *owner)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct step *step = &plan->steps[i];
		step->is_moving |= step_wanted(step) == config || step->service == owner;
	}
}

static struct step *step_of(struct plan *plan, const struct service_config *config)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (step_wanted(&plan->steps[i]) == config)
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
	return listener->name
		       ? bound_name_is_there(listener->name)
		       : before->sockets->is_v6only == config->sockets->is_v6only &&
				 before->sockets->has_freebind == config->sockets->has_freebind &&
				 is_same_interface(
					 before->sockets->interface, config->sockets->interface);
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
			service->config->sockets->protocol != config->sockets->protocol)
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
	const struct service_config *config = step_wanted(step);
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

int plan_bind(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct step *step = &plan->steps[i];
		char error[LISTENERS_ERROR_SIZE];
		if (!needs_listeners(step))
			continue;
		if (listeners_open(step_wanted(step), find_bound, plan, &step->opened, &step->n_opened,
			    error) < 0)
			json_array_append_new(plan->errors, json_string(error));
	}
	return json_array_size(plan->errors) ? -EINVAL : 0;
}
