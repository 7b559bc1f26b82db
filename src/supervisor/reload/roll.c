#include "supervisor/reload/roll.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ev.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/health.h"
#include "supervisor/deaths/death_record.h"
#include "supervisor/log/capture.h"
#include "supervisor/reload/reload.h"
#include "supervisor/service/pool.h"
#include "supervisor/supervisor.h"

/* A program that says nothing is ready when it has not died in its first moments. */
enum { STEADY_MS = 1000 };

enum { REASON_SIZE = 256 };

static const char superseded[] = "another reload came before it was ready";

struct roll {
	struct service *service;
	bool is_daemon;                /* `config` is the old one, and the service has the new one already */
	struct service_config *config; /* the one that is tried; owned */
	enum config_change change;
	struct listener *opened;       /* owned */
	uint32_t n_opened;
	struct worker *worker;         /* that is tried; NULL: between two tries */
	unsigned n_failures;
	ev_timer timer;                /* the next try, or the end of the first moments of this one */
	char reason[REASON_SIZE];      /* of the last failure */
};

static void set_timer(struct roll *roll, uint64_t ms)
{
	struct ev_loop *loop = roll->service->supervisor->loop;
	ev_timer_stop(loop, &roll->timer);
	ev_timer_set(&roll->timer, (double)ms / 1000, 0);
	ev_timer_start(loop, &roll->timer);
}

/* Takes it from the service. What it still holds goes with it. */
static void end(struct roll *roll)
{
	ev_timer_stop(roll->service->supervisor->loop, &roll->timer);
	roll->service->roll = NULL;
	listeners_close(roll->opened, roll->n_opened);
	if (roll->config)
		service_config_free(roll->config);
	free(roll);
}

/* ---- outcomes -------------------------------------------------------------------------------- */

static void succeed(struct roll *roll)
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
		end(roll);
		service_config_free(service_reconfigure(service, config, change, opened, n_opened));
	} else {
		end(roll);
	}
	log_info("%s: reload: the new configuration is in force", service->config->name);
	reload_on_rolled(service->supervisor, service, NULL);
}

static void keep_reason(struct service *service, const char *reason)
{
	free(service->reload_failure);
	service->reload_failure = strdup(reason);
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
	end(roll);
	service_forget_failures(service);
	service_config_free(service_reconfigure(service, old, CHANGE_NONE, NULL, 0));
	service_drop_environment(service);
	service->generation--;
	if (service->n_working)
		service_raise(service, EVENT_RESTART);
}

static void fail(struct roll *roll)
{
	struct service *service = roll->service;
	char reason[REASON_SIZE + 64];
	bool is_daemon = roll->is_daemon;
	snprintf(reason, sizeof reason, "%s, %u time%s", roll->reason, roll->n_failures,
		roll->n_failures == 1 ? "" : "s");
	if (is_daemon)
		return_daemon(roll);
	else
		end(roll);
	keep_reason(service, reason);
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
static uint64_t next_delay_ms(const struct roll *roll)
{
	unsigned n_failures = roll->n_failures + 1;
	return n_failures < ROLL_TRIES ? delay_after(roll->service, n_failures) : 0;
}

static void on_failure(struct roll *roll)
{
	struct service *service = roll->service;
	char delay[TEXT_DURATION_SIZE];
	roll->worker = NULL;
	if (++roll->n_failures >= ROLL_TRIES) {
		fail(roll);
		return;
	}
	uint64_t delay_ms = delay_after(service, roll->n_failures);
	log_warning("%s: reload: with the new configuration, %s; those with the old one go on, tried "
		    "again in %s",
		service->config->name, roll->reason, text_format_duration(delay, delay_ms));
	set_timer(roll, delay_ms);
}

static void try_worker(struct roll *roll)
{
	const char *step;
	int r = start_worker(roll, &step);
	if (r < 0) {
		snprintf(roll->reason, sizeof roll->reason, "a worker cannot be started: %s: %s", step,
			strerror(-r));
		death_record_failed_start(roll->service, step, -r, next_delay_ms(roll), true);
		on_failure(roll);
		return;
	}
	roll->worker = roll->service->workers;
	roll->worker->is_placeless = true;
	if (roll->worker->state != WORKER_READY)
		return; /* until it says so, or start_timeout ends it */
	if (service_type_is_ours(roll->service->config->type))
		succeed(roll);
	else
		set_timer(roll, STEADY_MS);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	struct roll *roll = watcher->data;
	if (roll->is_daemon || roll->worker)
		succeed(roll);
	else
		try_worker(roll);
}

void roll_on_ready(struct worker *worker)
{
	if (roll_is_trial(worker))
		succeed(worker->service->roll);
}

void roll_on_all_ready(struct service *service)
{
	struct roll *roll = service->roll;
	if (!roll || !roll->is_daemon)
		return;
	if (service->config->supervision->ready == READY_EXEC)
		set_timer(roll, STEADY_MS);
	else
		succeed(roll);
}

/* ---- deaths ---------------------------------------------------------------------------------- */

static void describe_death(struct roll *roll, const struct worker *worker, int status)
{
	char end[HEALTH_END_SIZE];
	const char *last = capture_last_line(roll->service->capture, 0);
	bool is_recent = capture_last_ms(roll->service->capture) >= worker->started_ms;
	int n = snprintf(roll->reason, sizeof roll->reason, "%s %d %s, before it was %s",
		worker_noun(roll->service), worker->pid,
		health_format_end(end, status, clock_now_ms() - worker->started_ms, worker->killing),
		worker->state == WORKER_READY ? "steady" : "ready");
	if (last && is_recent && n > 0 && (size_t)n < sizeof roll->reason)
		snprintf(roll->reason + n, sizeof roll->reason - (size_t)n, " (stderr: %.100s)", last);
}

static bool is_last_try(const struct roll *roll)
{
	return roll->n_failures + 1 >= ROLL_TRIES ||
	       roll->service->config->supervision->restart == RESTART_NEVER;
}

/* Whether the return was made; otherwise it is tried again as after any death. */
static bool on_daemon_failure(struct roll *roll)
{
	ev_timer_stop(roll->service->supervisor->loop, &roll->timer);
	bool is_last = is_last_try(roll);
	roll->n_failures++;
	if (is_last)
		fail(roll);
	return is_last;
}

static void hear_last_words(struct service *service)
{
	if (service->capture)
		capture_drain(service->capture);
}

static bool on_daemon_death(struct roll *roll, const struct worker *worker, int status)
{
	struct service *service = roll->service;
	bool is_old = worker->generation != service->generation;
	bool is_proven =
		worker->state == WORKER_READY && service->config->supervision->ready != READY_EXEC;
	bool may_end = service->config->supervision->restart != RESTART_ALWAYS && status == 0;
	if (is_old || is_proven || may_end || worker->state == WORKER_STOPPING)
		return false;
	hear_last_words(service);
	describe_death(roll, worker, status);
	if (is_last_try(roll)) { /* of the others deaths.c makes one */
		service->n_deaths++;
		death_record_exit(service, worker, status, 0);
	}
	return on_daemon_failure(roll);
}

bool roll_on_death(struct service *service, const struct worker *worker, int status)
{
	struct roll *roll = service->roll;
	if (roll && roll->is_daemon)
		return on_daemon_death(roll, worker, status);
	if (!roll || roll->worker != worker)
		return false;
	ev_timer_stop(service->supervisor->loop, &roll->timer);
	hear_last_words(service);
	describe_death(roll, worker, status);
	service->n_deaths++;
	death_record_exit(service, worker, status, next_delay_ms(roll));
	on_failure(roll);
	return true;
}

bool roll_on_failed_start(struct service *service, const char *step, int error)
{
	struct roll *roll = service->roll;
	if (!roll || !roll->is_daemon)
		return false;
	snprintf(roll->reason, sizeof roll->reason, "the daemon cannot be started: %s: %s", step,
		strerror(error));
	if (is_last_try(roll))
		death_record_failed_start(service, step, error, 0, true);
	return on_daemon_failure(roll);
}

/* ---- beginning and end ------------------------------------------------------------------------- */

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
	end(earlier);
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
	ev_timer_init(&roll->timer, on_timer, 0, 0);
	roll->timer.data = roll;
	if (config->type == SERVICE_DAEMON) {
		begin_daemon(roll);
		return;
	}
	service->roll = roll;
	try_worker(roll);
}

/* Ends a trial that has not been decided. False: there was none that leaves the old configuration. */
static bool abandon(struct service *service)
{
	struct roll *roll = service->roll;
	if (!roll)
		return false;
	struct worker *worker = roll->worker;
	bool is_daemon = roll->is_daemon;
	end(roll);
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
		succeed(service->roll);
}

void roll_cancel(struct service *service, const char *why)
{
	if (!abandon(service))
		return;
	keep_reason(service, why);
	log_warning("%s: reload: %s; the configuration before stays in force until fdsupctl reload",
		service->config->name, why);
	reload_on_rolled(service->supervisor, service, why);
}

void roll_destroy(struct service *service)
{
	if (service->roll)
		end(service->roll);
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
