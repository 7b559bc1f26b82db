#include "supervisor/reload/roll.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "supervisor/reload/reload.h"
#include "supervisor/reload/roll_parts.h"
#include "supervisor/supervisor.h"

static const char superseded[] = "another reload came before it was ready";

/* Takes it from the service. What it still holds goes with it. */
void roll_end(struct roll *roll)
{
	ev_timer_stop(roll->service->supervisor->loop, &roll->timer);
	roll->service->roll = NULL;
	listeners_close(roll->opened, roll->n_opened);
	if (roll->config)
		service_config_free(roll->config);
	free(roll);
}

void roll_keep_reason(struct service *service, const char *reason)
{
	free(service->reload_failure);
	service->reload_failure = strdup(reason);
}

bool roll_is_worth_it(const struct service *service, enum config_change change)
{
	if (change < CHANGE_ROLL || service->state == STATE_STOPPED ||
		service->state == STATE_DRAINING || service->terminate_ms)
		return false;
	if (service->roll) /* a daemon that has not come up yet: what was before is still known */
		return true;
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker->state == WORKER_READY)
			return true;
	return false;
}

/* What it returns to is the last configuration with which it ran, not one that was still tried. */
static struct service_config *take_proven(struct service *service)
{
	struct roll *earlier = service->roll;
	if (!earlier)
		return NULL;
	struct service_config *proven = earlier->config;
	earlier->config = NULL;
	roll_end(earlier);
	reload_on_rolled(service->supervisor, service, superseded);
	return proven;
}

static void begin_daemon(struct roll *roll)
{
	struct service *service = roll->service;
	struct service_config *proven = take_proven(service);
	struct service_config *before =
		service_reconfigure(service, roll->config, roll->change, NULL, 0);
	roll->is_daemon = true;
	roll->config = proven ? proven : before;
	if (proven)
		service_config_free(before);
	service->roll = roll;
}

void roll_begin(struct service *service, struct service_config *config, enum config_change change,
	struct listener *opened, uint32_t n_opened)
{
	struct roll *roll = calloc(1, sizeof *roll);
	if (!roll) { /* untried is better than not at all */
		service_config_free(service_reconfigure(service, config, change, opened, n_opened));
		return;
	}
	*roll = (struct roll){
		.service = service,
		.config = config,
		.change = change,
		.opened = opened,
		.n_opened = n_opened,
	};
	ev_timer_init(&roll->timer, roll_on_timer, 0, 0);
	roll->timer.data = roll;
	if (config->type == SERVICE_DAEMON) {
		begin_daemon(roll);
		return;
	}
	service->roll = roll;
	roll_try_worker(roll);
}

/* Ends a trial that has not been decided. False: there was none that leaves the old configuration. */
static bool abandon(struct service *service)
{
	struct roll *roll = service->roll;
	if (!roll)
		return false;
	struct worker *worker = roll->worker;
	bool is_daemon = roll->is_daemon;
	roll_end(roll);
	if (worker && worker_is_working(worker)) {
		worker_stop(worker);
		service->n_working--;
	}
	if (is_daemon) /* it has the new one already, and nothing to go back for */
		reload_on_rolled(service->supervisor, service, NULL);
	return !is_daemon;
}

void roll_supersede(struct service *service)
{
	bool is_undecided = service->roll && !service->roll->is_daemon;
	if (!is_undecided || !abandon(service))
		return;
	log_notice("%s: reload: %s", service->config->name, superseded);
	reload_on_rolled(service->supervisor, service, superseded);
}

void roll_accept(struct service *service)
{
	if (service->roll)
		roll_succeed(service->roll);
}

void roll_cancel(struct service *service, const char *why)
{
	if (!abandon(service))
		return;
	roll_keep_reason(service, why);
	log_warning("%s: reload: %s; the configuration before stays in force until fdsupctl reload",
		service->config->name, why);
	reload_on_rolled(service->supervisor, service, why);
}

void roll_destroy(struct service *service)
{
	if (service->roll)
		roll_end(service->roll);
}

const struct service_config *roll_tried(const struct service *service)
{
	if (!service->roll)
		return NULL;
	return service->roll->is_daemon ? service->config : service->roll->config;
}

uint32_t roll_listeners(const struct service *service, const struct listener **ret_listeners)
{
	if (!service->roll)
		return 0;
	*ret_listeners = service->roll->opened;
	return service->roll->n_opened;
}

bool roll_has_daemon(const struct service *service)
{
	return service->roll && service->roll->is_daemon;
}

bool roll_is_trial(const struct worker *worker)
{
	const struct roll *roll = worker->service->roll;
	return roll && roll->worker == worker;
}
