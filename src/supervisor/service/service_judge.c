/*
 * Gathers the facts about a service from its state, its last death, its captured output and the
 * scoreboard, for policy/health to judge.
 */
#include "supervisor/service/service.h"

#include <stdlib.h>

#include "base/clock.h"
#include "policy/hours.h"
#include "supervisor/acceptor.h"
#include "supervisor/log/capture.h"
#include "supervisor/service/command_line.h"
#include "supervisor/service/sequence.h"
#include "supervisor/service/service_tell.h"
#include "supervisor/service/worker.h"
#include "supervisor/supervisor.h"

static uint64_t ms_since(uint64_t then_ns, uint64_t now_ns)
{
	return then_ns && then_ns < now_ns ? (now_ns - then_ns) / 1000000 : 0;
}

static void add_score(const struct service *service, uint64_t now_ns, struct health_facts *facts)
{
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	uint64_t oldest_waiting_ns = score_get(score->oldest_waiting_ns);
	facts->failures_in_row = score_get(score->failures_in_row);
	facts->failure_kind = score_get(score->failure_kind);
	facts->failure_status = score_get(score->failure_status);
	facts->failure_pid = score_get(score->failure_pid);
	facts->failure_age_ms = ms_since(score_get(score->failure_ns), now_ns);
	facts->failure_duration_ms = score_get(score->failure_duration_us) / 1000;
	facts->live = score_get(score->live);
	facts->waiting = score_get(score->waiting);
	facts->held = score_get(score->held);
	facts->oldest_waiting_ms = ms_since(oldest_waiting_ns, now_ns);
	facts->oldest_ms = ms_since(score_get(score->oldest_ns), now_ns);
	facts->oldest_pid = score_get(score->oldest_pid);
	facts->paused = score_get(score->paused);
	facts->paused_ms = ms_since(score_get(score->paused_ns), now_ns);
	facts->is_acceptor_missing = !acceptor_is_running(service->acceptor);
	/* Asked for ten times a second while anybody waits. */
	facts->is_queue_missing = service->queue_failed_ms && service->queue[0] < 0 &&
				  clock_now_ms() - service->queue_failed_ms < 1000;
}

static void add_death(const struct service *service, struct health_facts *facts)
{
	const struct last_death *death;
	if (!service->history)
		return;
	death = &service->history->last_death;
	facts->death = (struct health_death){
		.is_known = death->is_known,
		.was_spawned = death->was_spawned,
		.error = death->was_spawned ? NULL : worker_start_error(service, death->status),
		.was_ready = death->was_ready,
		.program = worker_noun(service),
		.stage = death->step,
		.pid = death->pid,
		.status = death->status,
		.killing = death->killing,
		.age_ms = death->age_ms,
		.n_left_behind = death->n_left_behind,
		.was_out_of_memory = death->was_out_of_memory,
		.times = service->history->backoff.early_deaths,
	};
}

static void add_conditions(const struct service *service, struct health_facts *facts)
{
	const struct service_config *config = service->config;
	const struct service_admission *admission = config->admission;
	const struct zone *zone = &service->supervisor->zone;
	double load;
	if (admission->n_windows && zone->n) {
		int64_t wall_ms = (int64_t)clock_wall_ms();
		int64_t opens_s = hours_next_change(
			admission->windows, admission->n_windows, zone, wall_ms / 1000);
		facts->is_closed = !hours_are_open(
			admission->windows, admission->n_windows, zone, wall_ms / 1000);
		if (facts->is_closed && opens_s != INT64_MAX)
			facts->opens_in_ms = (uint64_t)(opens_s * 1000 - wall_ms);
	}
	/* The load is a file to read, which only who asked for it pays for. */
	if (admission->max_load > 0 && getloadavg(&load, 1) == 1) {
		facts->max_load_centi = service_tell_load_centi(admission->max_load);
		facts->load_centi = (uint32_t)(load * 100);
	}
}

struct health_facts service_facts(const struct service *service)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t now_ms = now_ns / 1000000;
	struct health_facts facts = {
		.state = service->state,
		.is_wanted = service->is_wanted,
		.in_state_ms = now_ms - service->state_since_ms,
		.runs_commands = service->config->type == SERVICE_EXEC,
		.command = command_line_name(service->config),
		.worker_socket = service->config->type == SERVICE_EXTERNAL
					 ? service->config->worker_socket : NULL,
		.is_started_by_sockets = service_gets_listeners(service->config) &&
					 service->config->supervision->workers_min == 0,
		.sandbox = service->config->surroundings->sandbox,
		.max_connections = service->config->admission->max_connections,
		.queue_limit = service->config->supervision->queue,
		.n_working = service->n_working,
		.workers_max = service->config->supervision->workers_max,
		.refuses = service->config->admission->overflow != OVERFLOW_WAIT,
		.overflow_wait_ms = service->config->admission->overflow_wait,
		.missing = service->missing,
		.reload_failure = service->reload_failure,
		.last_words = capture_last_line(service->capture, 0),
		.last_words_age_ms = now_ms - capture_last_ms(service->capture),
	};
	if (service->next_try_ms > now_ms)
		facts.next_try_ms = service->next_try_ms - now_ms;
	const struct service *awaited = sequence_awaited(service);
	facts.awaited = awaited ? awaited->config->name : NULL;
	add_death(service, &facts);
	if (service->acceptor) {
		add_score(service, now_ns, &facts);
		add_conditions(service, &facts);
	}
	return facts;
}

void service_judge(const struct service *service, struct health *ret_health)
{
	struct health_facts facts = service_facts(service);
	health_judge(&facts, ret_health);
}
