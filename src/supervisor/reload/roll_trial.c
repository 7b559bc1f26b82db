/*
 * One worker is tried with the new configuration, again if it fails, until that is in force or given up.
 */
#include "supervisor/reload/roll.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "supervisor/deaths/death_record.h"
#include "supervisor/reload/reload.h"
#include "supervisor/reload/roll_parts.h"
#include "supervisor/service/pool.h"
#include "supervisor/service/worker.h"
#include "supervisor/supervisor.h"

/* A program that says nothing is ready when it has not died in its first moments. */
enum { STEADY_MS = 1000 };

static void set_timer(struct roll *roll, uint64_t ms)
{
	struct ev_loop *loop = roll->service->supervisor->loop;
	ev_timer_stop(loop, &roll->timer);
	ev_timer_set(&roll->timer, (double)ms / 1000, 0);
	ev_timer_start(loop, &roll->timer);
}

/* ---- outcomes -------------------------------------------------------------------------------- */

void roll_succeed(struct roll *roll)
{
	struct service *service = roll->service;
	struct service_config *config = roll->config;
	if (!roll->is_daemon) {
		struct listener *opened = roll->opened;
		uint32_t n_opened = roll->n_opened;
		enum config_change change = roll->change;
		roll->config = NULL;
		roll->opened = NULL;
		roll->n_opened = 0;
		roll_end(roll);
		service_config_free(service_reconfigure(service, config, change, opened, n_opened));
	} else {
		roll_end(roll);
	}
	log_info("%s: reload: the new configuration is in force", service->config->name);
	reload_on_rolled(service->supervisor, service, NULL);
}

/* The workers that the old configuration should have, should some have died meanwhile. */
static void refill(struct service *service)
{
	if (service->state == STATE_STOPPED || service->state == STATE_DRAINING)
		return;
	if (service->n_working == 0)
		service_raise(service, EVENT_GONE_LATE);
	else if (service->n_working < pool_n_wanted(service))
		service_raise(service, EVENT_SHORT);
}

/* Others of its generation, if workers.min asks for several, have the new configuration. */
static void return_daemon(struct roll *roll)
{
	struct service *service = roll->service;
	struct service_config *old = roll->config;
	roll->config = NULL;
	roll_end(roll);
	service_forget_failures(service);
	service_config_free(service_reconfigure(service, old, CHANGE_NONE, NULL, 0));
	service_drop_environment(service);
	service->generation--;
	if (service->n_working)
		service_raise(service, EVENT_RESTART);
}

void roll_fail(struct roll *roll)
{
	struct service *service = roll->service;
	char reason[REASON_SIZE + 64];
	bool is_daemon = roll->is_daemon;
	snprintf(reason, sizeof reason, "%s, %u time%s", roll->reason, roll->n_failures,
		roll->n_failures == 1 ? "" : "s");
	if (is_daemon)
		return_daemon(roll);
	else
		roll_end(roll);
	roll_keep_reason(service, reason);
	log_error("%s: reload: given up: %s; the configuration before stays in force; correct the "
		  "service, then fdsupctl reload",
		service->config->name, reason);
	refill(service);
	reload_on_rolled(service->supervisor, service, reason);
}

/* ---- one worker of the new configuration ------------------------------------------------------- */

static void exchange(struct roll *roll, char ***environment)
{
	struct service *service = roll->service;
	struct service_config *config = service->config;
	char **own = service->environment;
	service->config = roll->config;
	roll->config = config;
	service->environment = *environment;
	*environment = own;
	if (!roll->opened)
		return;
	struct listener *listeners = service->listeners;
	uint32_t n_listeners = service->n_listeners;
	service->listeners = roll->opened;
	service->n_listeners = roll->n_opened;
	roll->opened = listeners;
	roll->n_opened = n_listeners;
}

/* As if the service had the new configuration already. */
static int start_worker(struct roll *roll, const char **ret_step)
{
	struct service *service = roll->service;
	char **environment = NULL;
	exchange(roll, &environment);
	service->generation++;
	int r = worker_start(service, 0, ret_step); /* the others will be gone */
	service->generation--;
	exchange(roll, &environment);
	free(environment);
	return r;
}

static uint64_t delay_after(const struct service *service, unsigned n_failures)
{
	uint64_t delay_ms = service->config->supervision->restart_delay << (n_failures - 1);
	uint64_t delay_max_ms = service->config->supervision->restart_delay_max;
	return delay_ms < delay_max_ms ? delay_ms : delay_max_ms;
}

/* Should it fail now; 0: then it is given up. */
uint64_t roll_next_delay_ms(const struct roll *roll)
{
	unsigned n_failures = roll->n_failures + 1;
	return n_failures < ROLL_TRIES ? delay_after(roll->service, n_failures) : 0;
}

void roll_on_failure(struct roll *roll)
{
	struct service *service = roll->service;
	char delay[TEXT_DURATION_SIZE];
	roll->worker = NULL;
	if (++roll->n_failures >= ROLL_TRIES) {
		roll_fail(roll);
		return;
	}
	uint64_t delay_ms = delay_after(service, roll->n_failures);
	log_warning("%s: reload: with the new configuration, %s; those with the old one go on, tried "
		    "again in %s",
		service->config->name, roll->reason, text_format_duration(delay, delay_ms));
	set_timer(roll, delay_ms);
}

void roll_try_worker(struct roll *roll)
{
	const char *step;
	int r = start_worker(roll, &step);
	if (r < 0) {
		snprintf(roll->reason, sizeof roll->reason, "a worker cannot be started: %s: %s", step,
			worker_start_error(roll->service, -r));
		death_record_failed_start(roll->service, step, -r, roll_next_delay_ms(roll), true);
		roll_on_failure(roll);
		return;
	}
	roll->worker = roll->service->workers;
	roll->worker->is_placeless = true;
	if (roll->worker->state != WORKER_READY)
		return; /* until it says so, or start_timeout ends it */
	if (service_type_is_ours(roll->service->config->type))
		roll_succeed(roll);
	else
		set_timer(roll, STEADY_MS);
}

void roll_on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	struct roll *roll = watcher->data;
	if (roll->is_daemon || roll->worker)
		roll_succeed(roll);
	else
		roll_try_worker(roll);
}

void roll_on_ready(struct worker *worker)
{
	if (roll_is_trial(worker))
		roll_succeed(worker->service->roll);
}

void roll_on_all_ready(struct service *service)
{
	struct roll *roll = service->roll;
	if (!roll || !roll->is_daemon)
		return;
	if (service->config->supervision->ready == READY_EXEC)
		set_timer(roll, STEADY_MS);
	else
		roll_succeed(roll);
}
