#include "supervisor/deaths/deaths.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "process/cgroup.h"
#include "supervisor/acceptor.h"
#include "supervisor/deaths/death_record.h"
#include "supervisor/log/capture.h"
#include "supervisor/reload/roll.h"
#include "supervisor/service/command_line.h"
#include "supervisor/service/ending.h"
#include "supervisor/service/leftovers.h"
#include "supervisor/service/pool.h"
#include "supervisor/service/worker.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/events.h"

/* A program that ends so soon has not looked at what it was started for. */
enum { HASTY_MS = 1000 };

static struct backoff_verdict judge_death(
	struct service *service, uint64_t age_ms, bool was_useful, bool is_clean)
{
	const struct service_config *config = service->config;
	struct backoff_rule rule = {
		.delay_ms = config->supervision->restart_delay,
		.delay_max_ms = config->supervision->restart_delay_max,
		.give_up_deaths = config->supervision->give_up.count,
		.give_up_within_ms = config->supervision->give_up.per_ms,
	};
	struct backoff_death death = {
		.now_ms = clock_now_ms(),
		.age_ms = age_ms,
		.was_useful = was_useful,
		.is_clean = is_clean,
		.chance = drand48(),
	};
	struct history *history = service_history(service);
	struct backoff_verdict verdict = backoff_on_death(&history->backoff, &rule, &death);
	history->last_death.delay_ms = verdict.delay_ms;
	history->last_death.gave_up = verdict.give_up;
	return verdict;
}

/* As long as others are there nothing is given up, and the next try comes sooner. */
static void keep_others(struct service *service, struct backoff_verdict *verdict)
{
	if (service->n_working == 0)
		return;
	verdict->give_up = false;
	service_history(service)->last_death.gave_up = false;
}

static uint64_t next_try_ms(struct service *service)
{
	const struct last_death *death = &service_history(service)->last_death;
	return death->gave_up ? STATE_FAILED_RETRY_MS : death->delay_ms;
}

static void log_failed_start(struct service *service, const char *step, int error)
{
	char delay[TEXT_DURATION_SIZE];
	log_error("%s: cannot start %s: %s: %s; next try in %s", service->config->name,
		command_line_name(service->config), step, worker_start_error(service, error),
		text_format_duration(delay, next_try_ms(service)));
}

void deaths_on_failed_start(struct service *service, const char *step, int error)
{
	service->n_deaths++;
	if (roll_on_failed_start(service, step, error))
		return;
	service_history(service)->last_death = (struct last_death){
		.is_known = true,
		.step = step,
		.status = error,
	};
	struct backoff_verdict verdict = judge_death(service, 0, false, false);
	keep_others(service, &verdict);
	log_failed_start(service, step, error);
	death_record_failed_start(service, step, error, next_try_ms(service), roll_has_daemon(service));
	if (service->n_working > 0)
		service_raise(service, EVENT_SHORT);
	else
		service_raise(service, verdict.give_up ? EVENT_GAVE_UP : EVENT_GONE_EARLY);
}

static void forget_worker(struct service *service, struct worker *worker)
{
	struct worker **link = &service->workers;
	while (*link != worker)
		link = &(*link)->next;
	*link = worker->next;
	service->n_workers--;
	if (worker_is_working(worker))
		service->n_working--;
}

static void tell_acceptor(struct service *service, int pid, int status)
{
	struct control_process message = {
		.kind = CONTROL_WORKER_GONE,
		.service = service->slot,
		.pid = pid,
		.status = status,
	};
	if (service->acceptor)
		acceptor_tell(service->acceptor, &message, -1);
}

/* Those that are left are as many as there should be. */
static bool is_spared(const struct service *service)
{
	return service->n_working >= pool_n_wanted(service);
}

static bool is_left_to_demand(const struct service *service, const struct backoff_verdict *verdict)
{
	return service->n_working == 0 && !verdict->is_early && service->state != STATE_HUNG &&
	       service->config->supervision->workers_min == 0;
}

enum { FOLLOWS_SIZE = 64 };

static const char *what_follows(char text[FOLLOWS_SIZE], const struct service *service,
	const struct backoff_verdict *verdict)
{
	char delay[TEXT_DURATION_SIZE];
	if (is_spared(service))
		snprintf(text, FOLLOWS_SIZE, "%u other%s", service->n_working,
			service->n_working == 1 ? " goes on" : "s go on");
	else if (is_left_to_demand(service, verdict))
		return "the next client has another started";
	else if (verdict->delay_ms)
		snprintf(text, FOLLOWS_SIZE, "next try in %s", text_format_duration(delay, verdict->delay_ms));
	else
		return "replaced at once";
	return text;
}

static void log_death(struct service *service, const struct backoff_verdict *verdict)
{
	const struct last_death *death = &service_history(service)->last_death;
	char end[HEALTH_END_SIZE], follows[FOLLOWS_SIZE];
	health_format_end(end, death->status, death->age_ms, death->killing);
	const char *program = worker_noun(service);
	if (death->was_out_of_memory)
		log_warning("%s: %s %d was killed because the service had used up its memory "
			    "(cgroup.memory_max)",
			service->config->name, program, death->pid);
	if (verdict->give_up)
		log_error("%s: %s %d %s: given up (give_up); tried again in 10min, or by "
			  "fdsupctl start %s",
			service->config->name, program, death->pid, end, service->config->name);
	else
		log_warning("%s: %s %d %s; %s", service->config->name, program, death->pid, end,
			what_follows(follows, service, verdict));
}

/* Once for deaths in a row: the others are no news. */
static void log_sandbox(struct service *service)
{
	const struct history *history = service_history(service);
	const struct last_death *death = &history->last_death;
	const char *hint = health_sandbox_hint(service->config->surroundings->sandbox,
		death->status, death->age_ms, death->was_ready, death->killing);
	if (hint && history->backoff.early_deaths <= 1)
		log_notice("%s: %s", service->config->name, hint);
}

static bool is_left_ended(const struct service_config *config, bool is_clean)
{
	return !service_type_is_ours(config->type) &&
	       (config->supervision->restart == RESTART_NEVER ||
		       (config->supervision->restart == RESTART_ON_FAILURE && is_clean));
}

/* The commonest mistake of who comes from xinetd and init scripts. */
static void clear_leftovers(struct service *service)
{
	unsigned n = ending_clear_leftovers(service);
	service_history(service)->last_death.n_left_behind = n;
	if (n)
		log_warning("%s: the daemon ended and left %u process%s behind, which %s ended now; it must "
			    "stay in the foreground: give it the option for that",
			service->config->name, n, n == 1 ? "" : "es", n == 1 ? "is" : "are");
}

/* Whether the kernel has killed one in its cgroup since the last look, which then was this one. */
static bool was_out_of_memory(struct service *service, int status)
{
	if (!service->has_cgroup)
		return false;
	struct history *history = service_history(service);
	uint64_t n_kills = cgroup_oom_kills(service->config->name);
	bool is_more = n_kills > history->n_oom_kills;
	history->n_oom_kills = n_kills;
	return is_more && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void on_death(struct service *service, const struct worker *worker, int pid, int status)
{
	bool is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool was_useful = service_taken(service) > worker->taken_before;
	uint64_t age_ms = clock_now_ms() - worker->started_ms;
	service->n_deaths++;
	service_history(service)->last_death = (struct last_death){
		.is_known = true,
		.was_spawned = true,
		.was_ready = worker->state == WORKER_READY,
		.pid = pid,
		.status = status,
		.killing = worker->killing,
		.age_ms = age_ms,
		.at_ms = clock_now_ms(),
		.was_out_of_memory = was_out_of_memory(service, status),
	};
	if (service->capture && service->n_working)
		capture_drain(service->capture);
	else if (service->capture)
		capture_end(service->capture);
	if (is_left_ended(service->config, is_clean) && service->n_working == 0) {
		char text[HEALTH_STATUS_SIZE];
		log_notice("%s: %s %d %s; restart leaves it at that", service->config->name,
			worker_noun(service), pid, health_format_status(text, status));
		death_record_exit(service, worker, status, 0);
		service_raise(service, EVENT_GONE_FOR_GOOD);
		return;
	}
	/* To leave what one was started for is not clean, whatever the status. */
	bool is_hasty = is_clean && service_gets_listeners(service->config) && age_ms < HASTY_MS;
	if (service->config->type == SERVICE_DAEMON)
		clear_leftovers(service); /* the next one would be a second one */
	struct backoff_verdict verdict =
		judge_death(service, age_ms, was_useful, is_clean && !is_hasty);
	keep_others(service, &verdict);
	log_death(service, &verdict);
	log_sandbox(service);
	death_record_exit(service, worker, status, is_spared(service) ? 0 : next_try_ms(service));
	if (is_spared(service))
		return;
	service->n_restarts++;
	if (service->n_working > 0)
		service_raise(service, EVENT_SHORT);
	else if (verdict.give_up)
		service_raise(service, EVENT_GAVE_UP);
	else if (verdict.is_early)
		service_raise(service, EVENT_GONE_EARLY);
	else /* a service on demand waits for the next connection, which may be waiting already */
		service_raise(service, service->config->supervision->workers_min ? EVENT_GONE_LATE
										 : EVENT_GONE_IDLE);
}

/* ---- all at once ------------------------------------------------------------------------------ */

/* Good service ended when somebody had to wait: what they lived for after that counts for nothing. */
static uint64_t age_until_needed_ms(const struct service *service)
{
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	uint64_t needed_ms = score_get(score->oldest_waiting_ns) / 1000000, age_ms = 0;
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker_is_working(worker) && needed_ms > worker->started_ms + age_ms)
			age_ms = needed_ms - worker->started_ms;
	return age_ms;
}

static void log_hung(struct service *service, const struct backoff_verdict *verdict)
{
	char delay[TEXT_DURATION_SIZE];
	if (verdict->give_up)
		log_error("%s: given up (give_up); tried again in 10min, or by fdsupctl start %s",
			service->config->name, service->config->name);
	else if (verdict->delay_ms)
		log_warning("%s: others are started in %s", service->config->name,
			text_format_duration(delay, verdict->delay_ms));
}

void deaths_on_hung(struct service *service)
{
	bool was_useful = false;
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker_is_working(worker)) {
			was_useful |= service_taken(service) > worker->taken_before;
			worker->killing = KILLED_WATCHDOG_IDLE;
		}
	service->n_deaths += service->n_working;
	service->n_restarts++;
	struct backoff_verdict verdict =
		judge_death(service, age_until_needed_ms(service), was_useful, false);
	log_hung(service, &verdict);
	service_raise(service, EVENT_HUNG);
}

enum service_event deaths_verdict_on_hung(struct service *service)
{
	const struct last_death *death = &service_history(service)->last_death;
	if (death->gave_up)
		return EVENT_GAVE_UP;
	return death->delay_ms ? EVENT_GONE_EARLY : EVENT_GONE_LATE;
}

/* It counted when they were found to hang; what is left is to tell how this one ended. */
static void on_death_of_hung(
	struct service *service, const struct worker *worker, int pid, int status)
{
	struct last_death *death = &service_history(service)->last_death;
	death_record_exit(service, worker, status, next_try_ms(service));
	*death = (struct last_death){
		.is_known = true,
		.was_spawned = true,
		.was_ready = worker->ready_ms != 0,
		.pid = pid,
		.status = status,
		.killing = worker->killing,
		.age_ms = clock_now_ms() - worker->started_ms,
		.at_ms = clock_now_ms(),
		.delay_ms = death->delay_ms,
		.gave_up = death->gave_up,
	};
}

/* ---- one --------------------------------------------------------------------------------------- */

static bool has_arrived(const struct service *service)
{
	for (uint32_t i = 0; i < service->n_listeners; i++) {
		struct pollfd look = { .fd = service->listeners[i].fd, .events = POLLIN };
		if (poll(&look, 1, 0) == 1)
			return true;
	}
	return false;
}

/*
 * Ours leave when there is nothing to do, and so may a program that was started on demand and has the
 * listeners (inetd's wait), unless it leaves behind at once what it was started for: that would spin.
 */
static bool may_leave(const struct service *service, const struct worker *worker)
{
	bool has_listeners = service_gets_listeners(service->config);
	bool is_early = clock_now_ms() - worker->started_ms < HASTY_MS;
	if (service_type_is_ours(service->config->type) && !has_listeners)
		return !is_early || service->n_working >= service->config->supervision->workers_min;
	bool is_on_demand = has_listeners && service->config->supervision->workers_min == 0;
	return is_on_demand && !(is_early && has_arrived(service));
}

static void tell_listeners(const struct worker *worker, int status)
{
	char text[HEALTH_END_SIZE];
	if (!worker->service->supervisor->streams)
		return;
	health_format_end(text, status, clock_now_ms() - worker->started_ms, worker->killing);
	events_on_worker(worker, text);
}

void deaths_on_worker_exit(struct service *service, struct worker *worker, int pid, int status)
{
	enum worker_state was = worker->state;
	tell_listeners(worker, status);
	forget_worker(service, worker);
	pool_forget_renewal(service, worker);
	tell_acceptor(service, pid, status);
	bool was_working = was == WORKER_READY || was == WORKER_STARTING;
	/* How one ended that was taken over may be known to nobody: of ours nothing bad is believed. */
	bool is_clean = status == 0 || (status == HEALTH_STATUS_UNKNOWN &&
					       service_type_is_ours(service->config->type));
	/* Who leaves of its own accord, as a wait service of inetd's does, may leave others at work. */
	bool is_idle_exit = was_working && is_clean && may_leave(service, worker);
	if (!is_idle_exit)
		leftovers_end(service, pid);
	if (roll_on_death(service, worker, status)) {
		worker_free(worker);
		return;
	}
	if (!was_working) {
		if (service->state == STATE_HUNG)
			on_death_of_hung(service, worker, pid, status);
		ending_check(service);
	} else if (!is_idle_exit) {
		on_death(service, worker, pid, status);
	} else {
		pool_on_left(service);
	}
	worker_free(worker);
}
