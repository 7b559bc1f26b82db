#include "supervisor/deaths/death_record.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/names.h"
#include "policy/health.h"
#include "supervisor/acceptor.h"
#include "supervisor/deaths/death_details.h"
#include "supervisor/reload/roll.h"
#include "supervisor/service/command_line.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/events.h"

enum { LINES_SHOWN = 20 };

static uint64_t milliseconds(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_usec / 1000;
}

/*
 * What the acceptor counts is of the service: it is this worker's where there is no other. Until it says
 * what this one had, which it does where the workers report.
 */
static void add_connections(const struct service *service, json_t *death)
{
	if (!service->acceptor || service->n_workers)
		return;
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	uint32_t live = score_get(score->live);
	uint32_t untaken = score_get(score->waiting) + score_get(score->held);
	json_object_set_new(death, "connections", json_integer(live > untaken ? live - untaken : 0));
}

static json_t *make(const struct service *service, const char *how, uint64_t next_ms)
{
	json_t *death = death_make(service, worker_noun(service), how, next_ms);
	if (death)
		death_add_lines(death, service, LINES_SHOWN, 0);
	return death;
}

static bool is_tried(const struct worker *worker)
{
	const struct service *service = worker->service;
	bool is_new = worker->generation == service->generation;
	return roll_is_trial(worker) || (roll_has_daemon(service) && is_new);
}

void death_record_exit(
	const struct service *service, const struct worker *worker, int status, uint64_t next_ms)
{
	char how[HEALTH_STATUS_SIZE];
	json_t *death = make(service, health_format_status(how, status), next_ms);
	if (!death)
		return;
	const struct rusage *usage = &worker->usage;
	struct death_process process = {
		.pid = worker->pid,
		.status = status,
		.program = worker->command,
		.has_limits_of_fdsup = service->config->type == SERVICE_EXEC,
	};
	json_object_set_new(death, "pid", json_integer(worker->pid));
	json_object_set_new(death, "status", json_integer(status));
	json_object_set_new(
		death, "age_ms", json_integer((json_int_t)(clock_now_ms() - worker->started_ms)));
	json_object_set_new(death, "was_ready", json_boolean(worker->ready_ms != 0));
	if (is_tried(worker))
		json_object_set_new(death, "trial", json_true());
	death_add_usage(death, milliseconds(usage->ru_utime) + milliseconds(usage->ru_stime),
		(uint64_t)usage->ru_maxrss);
	add_connections(service, death);
	death_add_core(death, service, &process);
	death_list_add(&service->supervisor->deaths, death);
}

void death_record_failed_start(
	const struct service *service, const char *step, int error, uint64_t next_ms, bool is_trial)
{
	json_t *how = json_sprintf(
		"%s not started: %s: %s", command_line_name(service->config), step, strerror(error));
	json_t *death = how ? make(service, json_string_value(how), next_ms) : NULL;
	json_decref(how);
	if (!death)
		return;
	json_object_set_new(death, "was_ready", json_false());
	if (error_name(error))
		json_object_set_new(death, "error", json_string(error_name(error)));
	if (is_trial)
		json_object_set_new(death, "trial", json_true());
	death_list_add(&service->supervisor->deaths, death);
}

void death_record_fdsup(struct supervisor *supervisor, pid_t pid, int64_t started_wall_ms)
{
	int64_t at_ms = clock_wall_ms();
	json_t *death = json_pack("{s:I, s:s, s:s, s:o*, s:s, s:b, s:[], s:n}", "at",
		(json_int_t)at_ms, "service", "fdsup", "program", "supervisor", "pid",
		pid ? json_integer(pid) : NULL, "how", "died in an unknown way; taken over",
		"was_ready", 1, "stderr", "next_try_ms");
	if (death && at_ms > started_wall_ms)
		json_object_set_new(death, "age_ms", json_integer(at_ms - started_wall_ms));
	death_list_add(&supervisor->deaths, death);
}

/* ---- what it has cost -------------------------------------------------------------------------- */

static void add_given_up(
	json_t *death, const struct service *service, const struct control_toll *toll)
{
	uint32_t n = toll->n_given_up < CONTROL_CLIENTS ? toll->n_given_up : CONTROL_CLIENTS;
	json_t *array = json_array();
	for (uint32_t i = 0; i < n; i++) {
		json_t *client = json_object();
		death_add_client(client, service, &toll->given_up[i]);
		json_array_append_new(array, client);
	}
	json_object_set_new(death, "given_up", array);
}

static void tell_listeners(const struct service *service, const struct control_toll *toll)
{
	char text[128];
	if (!toll->n_redelivered && !toll->n_lost)
		return;
	snprintf(text, sizeof text,
		"had %" PRIu32 " connection%s: %" PRIu32 " redelivered, %" PRIu32 " lost", toll->n_held,
		toll->n_held == 1 ? "" : "s", toll->n_redelivered, toll->n_lost);
	events_on_toll(service, toll->pid, text);
}

void death_record_toll(const struct service *service, const struct control_toll *toll)
{
	json_t *death = death_list_find(
		&service->supervisor->deaths, service->config->name, "pid", toll->pid);
	/* Many end as they should, and have no record. */
	if (death) {
		json_object_set_new(death, "connections", json_integer(toll->n_held));
		json_object_set_new(death, "redelivered", json_integer(toll->n_redelivered));
		json_object_set_new(death, "lost", json_integer(toll->n_lost));
		if (toll->n_given_up)
			add_given_up(death, service, toll);
	}
	tell_listeners(service, toll);
}
