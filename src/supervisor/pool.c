#include "supervisor/pool.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "process/orphans.h"
#include "supervisor/acceptor.h"
#include "supervisor/capture.h"
#include "supervisor/supervisor.h"
#include "wire/handoff.h"

/* How often a service that ends is looked through for what is left of it. */
enum { SWEEP_MS = 50, SWEEP_DRAINING_MS = 1000 };

/* Commands that are allowed to finish are ended after this. */
enum { DRAIN_MAX_MS = 300 * 1000 };

/* ---- watching the queue ---------------------------------------------------------------------- */

static void set_timer(struct service *service, uint64_t ms, bool is_retry)
{
	ev_timer_stop(service->supervisor->loop, &service->timer);
	ev_timer_set(&service->timer, (double)ms / 1000, 0);
	ev_timer_start(service->supervisor->loop, &service->timer);
	service->is_retry = is_retry;
}

static void stop_timer(struct service *service, bool is_retry)
{
	if (service->is_retry == is_retry)
		ev_timer_stop(service->supervisor->loop, &service->timer);
}

static void on_demand(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)events;
	struct service *service = watcher->data;
	ev_io_stop(loop, watcher);
	if (service->n_working == 0)
		service_raise(service, EVENT_DEMAND);
	else
		set_timer(service, GROWTH_LOOK_MS, false);
}

static void grow(struct service *service)
{
	const char *step;
	int r = worker_start(service, &step);
	if (r < 0)
		log_warning("%s: cannot start one more worker: %s: %s; those that run go on",
			service->config->name, step, strerror(-r));
}

static void forget_looks(struct service *service)
{
	if (service->history)
		memset(&service->history->growth, 0, sizeof service->history->growth);
}

static void await_connection(struct service *service)
{
	if (ev_is_active(&service->demand))
		return;
	ev_io_set(&service->demand, service->queue[1], EV_READ);
	ev_io_start(service->supervisor->loop, &service->demand);
}

/* Connections that workers have at the moment, in workers. */
static uint32_t n_busy(const struct service *service)
{
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	uint32_t live = score_get(score->live), untaken = score_get(score->waiting) + score_get(score->held);
	uint32_t a_worker = service->config->connections_per_worker;
	return live > untaken ? (live - untaken + a_worker - 1) / a_worker : 0;
}

/* The newest go, which have the least to finish. Idle workers of exec services leave by themselves. */
static void shrink(struct service *service)
{
	if (service->config->type != SERVICE_WORKER)
		return;
	uint32_t surplus = growth_surplus(&service_history(service)->growth, service->n_working,
		service->config->workers_min, n_busy(service), clock_now_ms());
	if (surplus)
		log_info("%s: %u of %u workers were idle for a minute; they are ended",
			service->config->name, surplus, service->n_working);
	for (struct worker *worker = service->workers; worker && surplus; worker = worker->next)
		if (worker->state == WORKER_READY) {
			worker_drain(worker);
			service->n_working--;
			surplus--;
		}
}

/* Nobody takes what waits, and there may be no more workers: those that are there hang. */
static bool is_hung(const struct service *service)
{
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	uint64_t oldest_ns = score_get(score->oldest_waiting_ns), now_ns = clock_now_ns();
	uint64_t watchdog_ns = service->config->watchdog * UINT64_C(1000000);
	return watchdog_ns && oldest_ns && now_ns > oldest_ns && now_ns - oldest_ns > watchdog_ns;
}

static void on_hung(struct service *service)
{
	char text[TEXT_DURATION_SIZE];
	log_error("%s: connections wait and no worker has taken one for %s (watchdog); the workers are "
		  "restarted",
		service->config->name, text_format_duration(text, service->config->watchdog));
	service_raise(service, EVENT_HUNG);
}

/* Until the next connection; a pool that may shrink is looked at once more when its time has come. */
static void end_rest(struct service *service)
{
	await_connection(service);
	if (service->config->type == SERVICE_WORKER && service->n_working > service->config->workers_min)
		set_timer(service, GROWTH_MARK_MS, false);
}

static void look(struct service *service)
{
	struct growth *growth = &service_history(service)->growth;
	shrink(service);
	if (growth->is_resting || ev_is_active(&service->demand)) {
		growth->is_resting = false;
		end_rest(service);
		return;
	}
	int depth = handoff_queue_depth(service->queue[1]);
	switch (growth_look(growth, depth < 0 ? 0 : (uint32_t)depth, service->n_working,
		service->config->workers_max)) {
	case GROWTH_GROW:
		grow(service);
		set_timer(service, GROWTH_LOOK_MS, false);
		break;
	case GROWTH_WAIT:
		set_timer(service, GROWTH_LOOK_MS, false);
		break;
	case GROWTH_FULL:
		if (is_hung(service)) {
			on_hung(service);
			break;
		}
		/* fall through */
	case GROWTH_REST:
		growth->is_resting = true;
		set_timer(service, GROWTH_REST_MS, false);
		break;
	}
}

void pool_replace(struct service *service, struct worker *old)
{
	const char *step;
	int r = worker_start(service, &step);
	if (r < 0) {
		log_warning("%s: worker %d has reached max_age, and no other can be started: %s: %s; it "
			    "stays",
			service->config->name, old->pid, step, strerror(-r));
		return;
	}
	worker_drain(old);
	service->n_working--;
}

void pool_watch(struct service *service)
{
	if (service->queue[1] < 0)
		return;
	stop_timer(service, false);
	forget_looks(service);
	await_connection(service);
}

void pool_unwatch(struct service *service)
{
	ev_io_stop(service->supervisor->loop, &service->demand);
	stop_timer(service, false);
}

/* ---- trying again ---------------------------------------------------------------------------- */

static void try_again(struct service *service)
{
	service->next_try_ms = 0;
	bool is_draining = service->state == STATE_DRAINING && !service->terminate_ms;
	if (is_draining && clock_now_ms() - service->state_since_ms >= DRAIN_MAX_MS)
		service_raise(service, EVENT_STOP);
	else if (is_draining || service->terminate_ms)
		pool_check_empty(service);
	else
		service_raise(service, EVENT_RETRY);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	struct service *service = watcher->data;
	if (service->is_retry)
		try_again(service);
	else
		look(service);
}

void pool_retry_after(struct service *service, uint64_t delay_ms)
{
	pool_unwatch(service);
	service->next_try_ms = clock_now_ms() + delay_ms;
	set_timer(service, delay_ms, true);
}

void pool_retry_cancel(struct service *service)
{
	service->next_try_ms = 0;
	stop_timer(service, true);
}

uint64_t pool_next_delay_ms(const struct service *service)
{
	return service->history ? service->history->last_death.delay_ms : service->config->restart_delay;
}

void pool_init(struct service *service)
{
	ev_io_init(&service->demand, on_demand, -1, EV_READ);
	ev_timer_init(&service->timer, on_timer, 0, 0);
	service->demand.data = service->timer.data = service;
}

/* ---- starting -------------------------------------------------------------------------------- */

static struct backoff_verdict judge_death(
	struct service *service, uint64_t age_ms, bool was_useful, bool is_clean)
{
	const struct service_config *config = service->config;
	struct backoff_rule rule = {
		.delay_ms = config->restart_delay,
		.delay_max_ms = config->restart_delay_max,
		.give_up_deaths = config->give_up.count,
		.give_up_within_ms = config->give_up.per_ms,
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
	return verdict;
}

static void log_failed_start(struct service *service, const char *step, int error)
{
	char delay[TEXT_DURATION_SIZE];
	log_error("%s: cannot start %s: %s: %s; next try in %s", service->config->name,
		service->config->command.items[0], step, strerror(error),
		text_format_duration(delay, pool_next_delay_ms(service)));
}

static void on_failed_start(struct service *service, const char *step, int error)
{
	service->n_deaths++;
	service_history(service)->last_death = (struct last_death){
		.is_known = true,
		.step = step,
		.status = error,
	};
	struct backoff_verdict verdict = judge_death(service, 0, false, false);
	log_failed_start(service, step, error);
	if (service->n_working > 0)
		service_raise(service, EVENT_SHORT);
	else
		service_raise(service, verdict.give_up ? EVENT_GAVE_UP : EVENT_GONE_EARLY);
}

static uint32_t n_wanted(const struct service *service)
{
	return service->config->workers_min ? service->config->workers_min : 1;
}

void pool_fill(struct service *service)
{
	while (service->n_working < n_wanted(service)) {
		const char *step;
		int r = worker_start(service, &step);
		if (r < 0) {
			on_failed_start(service, step, -r);
			return;
		}
	}
	if (service->queue[1] >= 0 && !ev_is_active(&service->demand)) {
		forget_looks(service);
		set_timer(service, GROWTH_LOOK_MS, false);
	}
	pool_check_ready(service);
}

void pool_check_ready(struct service *service)
{
	if (service->n_working < n_wanted(service))
		return;
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker->state == WORKER_STARTING)
			return;
	service_raise(service, EVENT_READY);
}

/* ---- ends ------------------------------------------------------------------------------------ */

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

static void log_death(struct service *service, const struct backoff_verdict *verdict)
{
	const struct last_death *death = &service_history(service)->last_death;
	char status[HEALTH_STATUS_SIZE], age[TEXT_DURATION_SIZE], delay[TEXT_DURATION_SIZE];
	health_format_status(status, death->status);
	text_format_duration(age, death->age_ms);
	const char *program = service->config->type == SERVICE_DAEMON ? "daemon" : "worker";
	if (verdict->give_up)
		log_error("%s: %s %d %s after %s: given up (give_up); tried again in 10min, or by "
			  "fdsupctl start %s",
			service->config->name, program, death->pid, status, age, service->config->name);
	else if (verdict->delay_ms)
		log_warning("%s: %s %d %s after %s; next try in %s", service->config->name, program,
			death->pid, status, age, text_format_duration(delay, verdict->delay_ms));
	else
		log_warning("%s: %s %d %s after %s; replaced at once", service->config->name, program,
			death->pid, status, age);
}

static bool is_left_ended(const struct service_config *config, bool is_clean)
{
	return config->type == SERVICE_DAEMON &&
	       (config->restart == RESTART_NEVER ||
		       (config->restart == RESTART_ON_FAILURE && is_clean));
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
		.age_ms = age_ms,
	};
	if (service->capture && service->n_working)
		capture_drain(service->capture);
	else if (service->capture)
		capture_end(service->capture);
	if (is_left_ended(service->config, is_clean) && service->n_working == 0) {
		char text[HEALTH_STATUS_SIZE];
		log_notice("%s: daemon %d %s; restart leaves it at that", service->config->name, pid,
			health_format_status(text, status));
		service_raise(service, EVENT_GONE_FOR_GOOD);
		return;
	}
	struct backoff_verdict verdict = judge_death(service, age_ms, was_useful, is_clean);
	log_death(service, &verdict);
	if (service->n_working >= n_wanted(service))
		return;
	service->n_restarts++;
	if (service->n_working > 0)
		service_raise(service, EVENT_SHORT);
	else if (verdict.give_up)
		service_raise(service, EVENT_GAVE_UP);
	else if (verdict.is_early)
		service_raise(service, EVENT_GONE_EARLY);
	else /* an exec service waits for the next connection, which may be waiting already */
		service_raise(service, service->config->workers_min ? EVENT_GONE_LATE : EVENT_GONE_IDLE);
}

void service_on_worker_exit(struct service *service, struct worker *worker, int pid, int status)
{
	enum worker_state was = worker->state;
	forget_worker(service, worker);
	tell_acceptor(service, pid, status);
	bool is_idle_exit = service->config->type == SERVICE_EXEC && status == 0;
	if (was != WORKER_READY && was != WORKER_STARTING)
		pool_check_empty(service);
	else if (!is_idle_exit)
		on_death(service, worker, pid, status);
	else if (service->n_working == 0)
		service_raise(service, EVENT_GONE_IDLE);
	worker_free(worker);
}

/* ---- nothing left ---------------------------------------------------------------------------- */

struct sweep {
	const struct service *service;
	int signal; /* 0: count only */
	unsigned n_left;
};

static void sweep_one(void *context, pid_t pid, const char *name)
{
	struct sweep *sweep = context;
	if (!name || strcmp(name, sweep->service->config->name))
		return;
	sweep->n_left++;
	/* What it descends from may have told it to ignore one of the two. */
	if (sweep->signal == SIGTERM)
		kill(pid, sweep->service->config->stop_signal);
	if (sweep->signal)
		kill(pid, sweep->signal);
}

/* TERM at first, KILL when the time is over; nothing for those that may finish. */
static int sweep_signal(const struct service *service)
{
	if (!service->terminate_ms)
		return 0;
	uint64_t since_ms = clock_now_ms() - service->terminate_ms;
	return since_ms >= service->config->stop_timeout ? SIGKILL : SIGTERM;
}

/* A new service of the same name: its processes cannot be told from what is left of this one. */
static bool has_successor(const struct service *service)
{
	return service->is_leaving &&
	       supervisor_find(service->supervisor, service->config->name) != NULL;
}

void pool_drain_workers(struct service *service)
{
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker_is_working(worker))
			worker_drain(worker);
	service->n_working = 0;
}

/* Connections that were accepted before the listeners were closed, and that no worker has yet. */
static bool has_accepted_ones(const struct service *service)
{
	if (service->queue[1] < 0 || !service->acceptor)
		return false;
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	bool has_in_hand = score_get(score->paused) & SCORE_PAUSED_QUEUE;
	return handoff_queue_depth(service->queue[1]) > 0 || has_in_hand ||
	       score_get(score->held) > 0;
}

/* Lets the workers go when there is nothing left to take; starts one for what is left. */
static void drain(struct service *service)
{
	const char *step;
	if (!has_accepted_ones(service))
		pool_drain_workers(service);
	else if (service->n_working == 0 && worker_start(service, &step) < 0)
		log_warning("%s: cannot start a worker for what it has still accepted: %s; tried again",
			service->config->name, step);
}

void pool_check_empty(struct service *service)
{
	bool is_draining = service->state == STATE_DRAINING && !service->terminate_ms;
	if (is_draining && service->acceptor &&
		!acceptor_has_synced(service->acceptor, service->close_sync)) {
		/* Until then it may still accept, and hand off. */
		set_timer(service, SWEEP_MS, true);
		return;
	}
	if (is_draining)
		drain(service);
	else if (!service->terminate_ms)
		return;
	if (service->n_workers) {
		if (is_draining)
			set_timer(service, service->n_working ? SWEEP_MS : SWEEP_DRAINING_MS, true);
		return;
	}
	if (service->has_spawned && !has_successor(service)) {
		struct sweep sweep = { service, sweep_signal(service), 0 };
		if (orphans_walk(sweep_one, &sweep) == 0 && sweep.n_left) {
			set_timer(service, is_draining ? SWEEP_DRAINING_MS : SWEEP_MS, true);
			return;
		}
		service->has_spawned = false;
	}
	service_raise(service, EVENT_EMPTY);
}
