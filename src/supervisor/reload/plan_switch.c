/*
 * Switching from one configuration to the other, when nothing can fail any more: service after
 * service, then what is of the whole.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/pack.h"
#include "supervisor/listeners/listeners.h"
#include "supervisor/log/log_output.h"
#include "supervisor/published.h"
#include "supervisor/reload/plan_steps.h"
#include "supervisor/reload/roll.h"
#include "supervisor/runtime_dir.h"
#include "supervisor/service/sequence.h"
#include "supervisor/service/service.h"
#include "supervisor/succession/keeper.h"
#include "supervisor/supervisor.h"

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
	if (service->is_awaiting)
		service_unbind(service);
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
		{ "max_notices", before->max_notices != after->max_notices },
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

static void forget_failures(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		free(service->reload_failure);
		service->reload_failure = NULL;
	}
}

void plan_switch(struct plan *plan)
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
	keeper_touch_all(supervisor);
	published_write(supervisor);
}
