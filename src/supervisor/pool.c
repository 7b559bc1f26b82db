#include "supervisor/pool.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/deaths.h"
#include "supervisor/ending.h"
#include "supervisor/supervisor.h"
#include "supervisor/watch.h"

/* Commands that are allowed to finish are ended after this. */
enum { DRAIN_MAX_MS = 300 * 1000 };

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
	if (is_draining && clock_now_ms() - service->state_since_ms >= DRAIN_MAX_MS)
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
	return service->history ? service->history->last_death.delay_ms : service->config->restart_delay;
}

void pool_init(struct service *service)
{
	ev_timer_init(&service->timer, on_timer, 0, 0);
	service->timer.data = service;
	watch_init(service);
}

/* ---- workers --------------------------------------------------------------------------------- */

uint32_t pool_n_wanted(const struct service *service)
{
	return service->config->workers_min ? service->config->workers_min : 1;
}

void pool_fill(struct service *service)
{
	while (service->n_working < pool_n_wanted(service)) {
		const char *step;
		int r = worker_start(service, &step);
		if (r < 0) {
			deaths_on_failed_start(service, step, -r);
			return;
		}
	}
	if (service->queue[1] >= 0 && !ev_is_active(&service->demand))
		watch_begin(service);
	pool_check_ready(service);
}

void pool_check_ready(struct service *service)
{
	if (service->n_working < pool_n_wanted(service))
		return;
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker->state == WORKER_STARTING)
			return;
	service_raise(service, EVENT_READY);
}

void pool_replace(struct service *service, struct worker *old, const char *why)
{
	const char *step;
	int r = worker_start(service, &step);
	if (r < 0) {
		log_warning("%s: worker %d: %s, and no other can be started: %s: %s; it stays",
			service->config->name, old->pid, why, step, strerror(-r));
		return;
	}
	log_info("%s: worker %d: %s; another takes its place", service->config->name, old->pid, why);
	worker_drain(old);
	service->n_working--;
}

void pool_drain_workers(struct service *service)
{
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker_is_working(worker))
			worker_drain(worker);
	service->n_working = 0;
}
