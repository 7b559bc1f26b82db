#include "supervisor/service/pool.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/recycle.h"
#include "supervisor/deaths/deaths.h"
#include "supervisor/reload/roll.h"
#include "supervisor/service/ending.h"
#include "supervisor/service/watch.h"
#include "supervisor/service/worker.h"
#include "supervisor/supervisor.h"

void pool_set_timer(struct service *service, uint64_t ms, bool is_retry)
{
	ev_timer_stop(service->supervisor->loop, &service->timer);
	ev_timer_set(&service->timer, (double)ms / 1000, 0);
	ev_timer_start(service->supervisor->loop, &service->timer);
	service->is_retry = is_retry;
}

void pool_stop_timer(struct service *service, bool is_retry)
{
	if (service->is_retry == is_retry)
		ev_timer_stop(service->supervisor->loop, &service->timer);
}

/* ---- trying again ---------------------------------------------------------------------------- */

static void try_again(struct service *service)
{
	service->next_try_ms = 0;
	bool is_draining = service->state == STATE_DRAINING && !service->terminate_ms;
	uint64_t most_ms = service->config->supervision->drain_timeout;
	if (is_draining && most_ms && clock_now_ms() - service->state_since_ms >= most_ms)
		service_raise(service, EVENT_STOP);
	else if (is_draining || service->terminate_ms)
		ending_check(service);
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
		watch_look(service);
}

void pool_retry_after(struct service *service, uint64_t delay_ms)
{
	watch_stop(service);
	service->next_try_ms = clock_now_ms() + delay_ms;
	pool_set_timer(service, delay_ms, true);
}

void pool_retry_cancel(struct service *service)
{
	service->next_try_ms = 0;
	pool_stop_timer(service, true);
}

uint64_t pool_next_delay_ms(const struct service *service)
{
	return service->history ? service->history->last_death.delay_ms
				: service->config->supervision->restart_delay;
}

void pool_init(struct service *service)
{
	ev_timer_init(&service->timer, on_timer, 0, 0);
	service->timer.data = service;
}

/* ---- workers --------------------------------------------------------------------------------- */

uint32_t pool_n_wanted(const struct service *service)
{
	return service->config->supervision->workers_min ? service->config->supervision->workers_min
							 : 1;
}

void pool_fill(struct service *service)
{
	while (service->n_working < pool_n_wanted(service)) {
		const char *step;
		int r = worker_start(service, service->n_working, &step);
		if (r < 0) {
			deaths_on_failed_start(service, step, -r);
			return;
		}
	}
	if (service->queue[1] >= 0 && !watch_is_awaiting(service))
		watch_begin(service);
	pool_check_ready(service);
}

void pool_on_left(struct service *service)
{
	if (service->n_working == 0)
		service_raise(service, service->config->supervision->workers_min ? EVENT_GONE_LATE
										 : EVENT_GONE_IDLE);
	else if (service->n_working < service->config->supervision->workers_min &&
		 service->state == STATE_UP)
		pool_fill(service);
}

void pool_check_ready(struct service *service)
{
	if (service->n_working < pool_n_wanted(service))
		return;
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker->state == WORKER_STARTING && !roll_is_trial(worker))
			return;
	service_raise(service, EVENT_READY);
	roll_on_all_ready(service);
}

/* ---- one worker after the other ---------------------------------------------------------------- */

static struct worker *successor_of(const struct worker *old)
{
	for (struct worker *worker = old->service->workers; worker; worker = worker->next)
		if (worker->replaces == old)
			return worker;
	return NULL;
}

static void postpone(struct worker *old, const char *why)
{
	service_history(old->service)->renew_after_ms = clock_now_ms() + RECYCLE_AGAIN_MS;
	worker_renew_after(old, RECYCLE_AGAIN_MS, why);
}

static void renew_daemon(struct service *service, struct worker *old)
{
	if (service->n_working == 1) {
		service_raise(service, EVENT_RESTART);
		return;
	}
	worker_stop(old);
	service->n_working--;
}

void pool_renew(struct service *service, struct worker *old, const char *why)
{
	const char *step;
	if (service->config->type == SERVICE_DAEMON) {
		renew_daemon(service, old);
		return;
	}
	if (successor_of(old) || roll_is_trial(old))
		return;
	int r = worker_start(service, service->n_working - 1, &step);
	if (r < 0) {
		log_warning("%s: worker %d: %s, and no other can be started: %s: %s; it stays, tried "
			    "again in a minute",
			service->config->name, old->pid, why, step, worker_start_error(service, -r));
		postpone(old, why);
		return;
	}
	log_info("%s: worker %d: %s; another takes its place", service->config->name, old->pid, why);
	old->renew_why = why;
	struct worker *successor = service->workers;
	successor->replaces = old;
	if (successor->state == WORKER_READY)
		pool_end_renewal(successor);
}

void pool_end_renewal(struct worker *successor)
{
	struct worker *old = successor->replaces;
	successor->replaces = NULL;
	if (!old || !worker_is_working(old))
		return;
	worker_drain(old);
	old->service->n_working--;
	pool_roll(old->service);
	pool_keep_to_max(old->service);
}

void pool_forget_renewal(struct service *service, struct worker *gone)
{
	struct worker *successor = successor_of(gone), *old = gone->replaces;
	if (successor)
		successor->replaces = NULL;
	if (old && worker_is_working(old) && worker_is_working(gone)) {
		log_warning("%s: worker %d has ended before it was ready to take the place of %d, which "
			    "stays; tried again in a minute",
			service->config->name, gone->pid, old->pid);
		postpone(old, old->renew_why);
		pool_roll(service);
	}
	bool is_turn_of_daemon = service->config->type == SERVICE_DAEMON && service->state == STATE_UP &&
				 gone->state == WORKER_STOPPING && !service->terminate_ms;
	if (is_turn_of_daemon)
		pool_fill(service);
}

/* ---- a new generation ------------------------------------------------------------------------- */

const char pool_outdated[] = "the configuration has changed";

static bool is_current(const struct worker *worker)
{
	return worker->generation == worker->service->generation && worker_is_working(worker);
}

static bool is_old(const struct worker *worker)
{
	return worker->generation < worker->service->generation && worker_is_working(worker);
}

bool pool_has_current(const struct service *service)
{
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		if (is_current(worker))
			return true;
	return false;
}

/* Ours are ready when they run, and a command that they started ends with its connection. */
static void roll_ours(struct service *service)
{
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		if (is_old(worker)) {
			worker_drain(worker);
			service->n_working--;
		}
	if (service->n_working < service->config->supervision->workers_min)
		pool_fill(service);
}

static unsigned n_on_their_way(const struct service *service)
{
	unsigned n = 0;
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		n += worker->replaces && worker->state == WORKER_STARTING;
	return n;
}

/* One that was tried with the new configuration, and so has no place yet. */
static struct worker *find_placeless(struct service *service)
{
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		if (is_current(worker) && worker->state == WORKER_READY && worker->is_placeless &&
			!roll_is_trial(worker))
			return worker;
	return NULL;
}

/* The oldest first; one whose successor has failed is tried again later: postpone. */
static struct worker *find_outdated(struct service *service)
{
	struct worker *found = NULL;
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		if (is_old(worker) && worker->renew_why != pool_outdated && !successor_of(worker))
			found = worker;
	return found;
}

static void take_place(struct worker *old, struct worker *successor)
{
	old->renew_why = pool_outdated;
	successor->is_placeless = false;
	successor->replaces = NULL;
	worker_drain(old);
	old->service->n_working--;
}

void pool_roll(struct service *service)
{
	struct worker *old, *successor;
	if (service_type_is_ours(service->config->type) && pool_has_current(service)) {
		roll_ours(service);
		return;
	}
	while ((successor = find_placeless(service)) && (old = find_outdated(service)))
		take_place(old, successor);
	while (n_on_their_way(service) < ROLL_AT_A_TIME && (old = find_outdated(service))) {
		pool_renew(service, old, pool_outdated);
		old->renew_why = pool_outdated;
	}
}

/* One that is about to change places is counted, and drained, by whoever sees to that. */
static bool is_superfluous(const struct worker *worker)
{
	return worker_is_working(worker) && !worker->replaces && !successor_of(worker) &&
	       !roll_is_trial(worker);
}

static struct worker *find_superfluous(struct service *service)
{
	struct worker *found = NULL;
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		if (is_superfluous(worker) && (!found || (is_old(worker) && !is_old(found))))
			found = worker;
	return found;
}

void pool_keep_to_max(struct service *service)
{
	uint32_t max = service->config->supervision->workers_max, n_drained = 0;
	uint32_t n = service->n_working - n_on_their_way(service);
	struct worker *worker;
	for (; n > max && (worker = find_superfluous(service)); n--, n_drained++) {
		worker_drain(worker);
		service->n_working--;
	}
	if (n_drained)
		log_info("%s: %u worker%s more than workers.max = %u: no new connections for %s, those %s "
			 "are finished",
			service->config->name, n_drained, n_drained == 1 ? "" : "s", max,
			n_drained == 1 ? "it" : "them", n_drained == 1 ? "it has" : "they have");
}

void pool_drain_workers(struct service *service)
{
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker_is_working(worker))
			worker_drain(worker);
	service->n_working = 0;
}
