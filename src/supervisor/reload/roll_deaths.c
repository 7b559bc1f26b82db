/*
 * What the end of a worker, or that it could not be started, means for the trial.
 */
#include "supervisor/reload/roll.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "policy/health.h"
#include "supervisor/deaths/death_record.h"
#include "supervisor/log/capture.h"
#include "supervisor/reload/roll_parts.h"
#include "supervisor/service/worker.h"
#include "supervisor/supervisor.h"

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
		roll_fail(roll);
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
	death_record_exit(service, worker, status, roll_next_delay_ms(roll));
	roll_on_failure(roll);
	return true;
}

bool roll_on_failed_start(struct service *service, const char *step, int error)
{
	struct roll *roll = service->roll;
	if (!roll || !roll->is_daemon)
		return false;
	snprintf(roll->reason, sizeof roll->reason, "the daemon cannot be started: %s: %s", step,
		worker_start_error(service, error));
	if (is_last_try(roll))
		death_record_failed_start(service, step, error, 0, true);
	return on_daemon_failure(roll);
}
