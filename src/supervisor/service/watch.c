#include "supervisor/service/watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/acceptor.h"
#include "supervisor/deaths/deaths.h"
#include "supervisor/service/pool.h"
#include "supervisor/service/surplus.h"
#include "supervisor/service/worker.h"
#include "supervisor/supervisor.h"
#include "wire/handoff.h"

enum { SAY_AGAIN_MS = 10000 };

/* ---- the next client --------------------------------------------------------------------------- */

static void stop_awaiting(struct service *service)
{
	for (uint32_t i = 0; service->arrivals && i < service->n_arrivals; i++)
		ev_io_stop(service->supervisor->loop, &service->arrivals[i]);
	free(service->arrivals);
	service->arrivals = NULL;
}

static void on_arrival(struct service *service)
{
	if (service->queue[1] < 0 || service->n_working == 0)
		service_raise(service, EVENT_DEMAND);
	else
		pool_set_timer(service, GROWTH_LOOK_MS, false);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)loop, (void)events;
	struct service *service = watcher->data;
	stop_awaiting(service);
	on_arrival(service);
}

/*
 * In its queue; where it has none, at its listeners, which are looked at and never accepted from: the
 * program that is started then does that. Without memory somebody is taken to be there.
 */
static void await_arrival(struct service *service)
{
	bool has_queue = service->queue[1] >= 0;
	uint32_t n = has_queue ? 1 : service->n_listeners;
	stop_awaiting(service);
	service->arrivals = calloc(n, sizeof *service->arrivals);
	if (!service->arrivals) {
		on_arrival(service);
		return;
	}
	service->n_arrivals = n;
	for (uint32_t i = 0; i < n; i++) {
		int fd = has_queue ? service->queue[1] : service->listeners[i].fd;
		ev_io_init(&service->arrivals[i], on_readable, fd, EV_READ);
		service->arrivals[i].data = service;
		ev_io_start(service->supervisor->loop, &service->arrivals[i]);
	}
}

bool watch_is_awaiting(const struct service *service)
{
	return service->arrivals != NULL;
}

/* ---- looks ------------------------------------------------------------------------------------- */

/* Whether there is one more; if not, that is said once in a while, not at every look. */
static bool grow(struct service *service)
{
	struct history *history = service_history(service);
	const char *step;
	int r = worker_start(service, service->n_working, &step);
	uint64_t now_ms = clock_now_ms();
	if (r < 0 && now_ms - history->grow_failed_ms >= SAY_AGAIN_MS) {
		history->grow_failed_ms = now_ms;
		log_warning("%s: cannot start one more worker: %s: %s; those that run go on, tried again "
			    "while connections wait",
			service->config->name, step, worker_start_error(service, -r));
	}
	return r == 0;
}

static void forget_looks(struct service *service)
{
	if (service->history)
		memset(&service->history->growth, 0, sizeof service->history->growth);
}

/* Connections that workers have at the moment, in workers. */
static uint32_t n_busy(const struct service *service)
{
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	uint32_t live = score_get(score->live), untaken = score_get(score->waiting) + score_get(score->held);
	uint32_t a_worker = service->config->supervision->connections_per_worker;
	return live > untaken ? (live - untaken + a_worker - 1) / a_worker : 0;
}

/* Idle workers of exec services leave by themselves. */
static void shrink(struct service *service)
{
	if (service->config->type != SERVICE_WORKER)
		return;
	uint32_t surplus = growth_surplus(&service_history(service)->growth, service->n_working,
		service->config->supervision->workers_min, n_busy(service), clock_now_ms());
	if (surplus)
		surplus_end(service, surplus);
}

/* When a worker last took something, as far as looks can tell; a new worker has its time as well. */
static uint64_t last_taken_ms(struct service *service)
{
	struct history *history = service_history(service);
	uint64_t taken = service_taken(service);
	if (taken != history->taken || history->taken_ms == 0) {
		history->taken = taken;
		history->taken_ms = clock_now_ms();
	}
	uint64_t last_ms = history->taken_ms;
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker_is_working(worker) && worker->ready_ms > last_ms)
			last_ms = worker->ready_ms;
	return last_ms;
}

/* Somebody waits, there may be no more workers, and nobody has taken anything for `watchdog`. */
static bool is_hung(struct service *service)
{
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	uint64_t watchdog_ms = service->config->supervision->watchdog, now_ms = clock_now_ms();
	uint64_t oldest_ms = score_get(score->oldest_waiting_ns) / 1000000;
	uint64_t taken_ms = last_taken_ms(service);
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker->state == WORKER_STARTING)
			return false;
	return watchdog_ms && oldest_ms && now_ms > oldest_ms + watchdog_ms &&
	       now_ms > taken_ms + watchdog_ms;
}

static void on_hung(struct service *service)
{
	char text[TEXT_DURATION_SIZE];
	log_error(
		"%s: connections wait and no worker has taken one for %s (watchdog); the workers are "
		"ended",
		service->config->name,
		text_format_duration(text, service->config->supervision->watchdog));
	deaths_on_hung(service);
}

/* Until the next connection; a pool that may shrink is looked at once more when its time has come. */
static void end_rest(struct service *service)
{
	await_arrival(service);
	if (service->config->type == SERVICE_WORKER &&
		service->n_working > service->config->supervision->workers_min)
		pool_set_timer(service,
			growth_mark_left_ms(&service_history(service)->growth, clock_now_ms()) + GROWTH_LOOK_MS,
			false); /* a little later: the loop's clock is behind */
}

void watch_look(struct service *service)
{
	struct growth *growth = &service_history(service)->growth;
	shrink(service);
	if (service->n_working == 0)
		return;
	if (growth->is_resting || watch_is_awaiting(service)) {
		growth->is_resting = false;
		end_rest(service);
		return;
	}
	int depth = handoff_queue_depth(service->queue[1]);
	switch (growth_look(growth, depth < 0 ? 0 : (uint32_t)depth, service->n_working,
		service->config->supervision->workers_max)) {
	case GROWTH_GROW:
		pool_set_timer(service, grow(service) ? GROWTH_LOOK_MS : GROWTH_REST_MS, false);
		break;
	case GROWTH_WAIT:
		pool_set_timer(service, GROWTH_LOOK_MS, false);
		break;
	case GROWTH_FULL:
		if (service_state_step(service->state, EVENT_HUNG).is_allowed && is_hung(service)) {
			on_hung(service);
			break;
		}
		/* fall through */
	case GROWTH_REST:
		growth->is_resting = true;
		pool_set_timer(service, GROWTH_REST_MS, false);
		break;
	}
}

/* ---- when -------------------------------------------------------------------------------------- */

void watch_start(struct service *service)
{
	if (service->queue[1] >= 0) {
		pool_stop_timer(service, false);
		forget_looks(service);
	}
	if (service->queue[1] >= 0 || service_gets_listeners(service->config))
		await_arrival(service);
}

void watch_stop(struct service *service)
{
	stop_awaiting(service);
	surplus_forget(service);
	pool_stop_timer(service, false);
}

void watch_begin(struct service *service)
{
	forget_looks(service);
	pool_set_timer(service, GROWTH_LOOK_MS, false);
}
