#include "supervisor/service/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/heap.h"
#include "base/log.h"
#include "process/cgroup.h"
#include "process/environment.h"
#include "supervisor/acceptor.h"
#include "supervisor/listeners/late.h"
#include "supervisor/log/capture.h"
#include "supervisor/reload/roll.h"
#include "supervisor/service/ending.h"
#include "supervisor/service/leftovers.h"
#include "supervisor/service/pool.h"
#include "supervisor/service/readiness.h"
#include "supervisor/service/service_tell.h"
#include "supervisor/service/watch.h"
#include "supervisor/succession/keeper.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/events.h"
#include "wire/handoff.h"
#include "wire/slots.h"

enum { QUEUE_SAY_AGAIN_MS = 10000, DESCRIPTORS_RESERVED = 40 };

struct service *service_make(struct supervisor *supervisor, struct service_config *config)
{
	struct service *service = calloc(1, sizeof *service);
	if (!service)
		return NULL;
	service->serial = ++supervisor->last_serial;
	service->supervisor = supervisor;
	service->config = config;
	service->queue[0] = service->queue[1] = service->slots_fd = -1;
	service->state = STATE_STOPPED;
	service->state_since_ms = clock_now_ms();
	standing_change(&service->standing, service->state, service->state_since_ms);
	service->generation = 1;
	pool_init(service);
	return service;
}

struct service *service_create(struct supervisor *supervisor, struct service_config *config)
{
	struct service *service = service_make(supervisor, config);
	if (!service)
		return NULL;
	if (config->n_listen && service_needs_queue(config)) {
		service->acceptor = supervisor_choose_acceptor(supervisor);
		int slot = acceptor_take_slot(service->acceptor);
		if (slot < 0) {
			service->config = NULL;
			free(service);
			return NULL;
		}
		service->slot = (uint32_t)slot;
	}
	return service;
}

static void close_ends(struct service *service)
{
	fd_close(&service->queue[0]);
	fd_close(&service->queue[1]);
	fd_close(&service->slots_fd);
}

void service_destroy(struct service *service)
{
	if (service->has_cgroup)
		cgroup_remove(service->config->name);
	keeper_forget(service);
	watch_stop(service);
	pool_retry_cancel(service);
	listeners_close(service->listeners, service->n_listeners);
	close_ends(service);
	if (service->acceptor)
		acceptor_give_slot(service->acceptor, service->slot);
	capture_destroy(service->capture);
	roll_destroy(service);
	leftovers_forget(service);
	free(service->reload_failure);
	free(service->missing);
	free(service->environment);
	free(service->history);
	service_config_free(service->config);
	free(service);
}

int service_bind(struct service *service, char error[LISTENERS_ERROR_SIZE])
{
	if (service->listeners)
		return 0;
	return listeners_open(service->config, NULL, NULL, &service->listeners, &service->n_listeners, error);
}

int service_bind_some(struct service *service, char error[LISTENERS_ERROR_SIZE])
{
	return listeners_open_some(service->config, &service->listeners, &service->n_listeners, error);
}

void service_unbind(struct service *service)
{
	listeners_close(service->listeners, service->n_listeners);
	service->listeners = NULL;
	service->n_listeners = 0;
	keeper_touch(service);
	keeper_settle(service->supervisor);
}

/* ---- actions --------------------------------------------------------------------------------- */

/*
 * Its queue is made when there is a worker for it, or a first client: on a host with hundreds of
 * services queues are most of the descriptors, and took a third of the time of a start.
 */
static void open_listeners(struct service *service)
{
	if (!service->acceptor || service->is_open)
		return;
	service->is_open = true;
	service_introduce(service);
}

int service_make_queue(struct service *service)
{
	if (service->queue[0] >= 0 || !service->acceptor)
		return 0;
	/* The last descriptors are for replacing the acceptor, and for whoever asks what is wrong. */
	int r = fd_check_room(DESCRIPTORS_RESERVED);
	if (r == 0)
		r = handoff_queue_open(service->config->supervision->queue, service->queue);
	if (r < 0)
		return r;
	/* Without, connections are handed off all the same, and die with their worker. */
	service->slots_fd = slots_create(service->config->supervision->queue);
	if (service->slots_fd < 0)
		service->slots_fd = -1;
	service_tell_queue(service);
	keeper_touch(service);
	return 0;
}

/* Its clients wait in the kernel, and its acceptor asks again ten times a second. */
void service_on_need_queue(struct service *service)
{
	static uint64_t said_ms;
	if (!service->is_open)
		return;
	int r = service_make_queue(service);
	if (r < 0)
		service->queue_failed_ms = clock_now_ms();
	if (r < 0 && clock_now_ms() - said_ms >= QUEUE_SAY_AGAIN_MS) {
		said_ms = clock_now_ms();
		log_error("%s: cannot make its queue: %s; its clients wait, tried again as services become "
			  "idle; raise the limit on open files (ulimit -n, LimitNOFILE)",
			service->config->name, strerror(-r));
	}
	if (r == 0 && service->state == STATE_ON_DEMAND)
		watch_start(service);
}

/* Nobody uses the service at the moment: the acceptor may give the queue back. */
static void rest(struct service *service)
{
	if (service->queue[0] >= 0 && service->n_workers == 0)
		service_tell_number(service, CONTROL_QUEUE_BACK);
}

/* Whether its next worker makes a difference to what the former ones have done. */
static bool has_past(const struct history *history)
{
	return history->backoff.early_deaths || history->backoff.n_times || history->last_death.is_known ||
	       history->n_oom_kills || history->grow_failed_ms || history->renew_after_ms;
}

/*
 * What it needs again with the next client only. All of it, for little things that stay here and there
 * keep what lies between them.
 */
static void give_memory_back(struct service *service)
{
	if (service->history && !has_past(service->history)) {
		free(service->history);
		service->history = NULL;
	}
	capture_rest(service->capture);
	if (service->capture && capture_is_empty(service->capture)) {
		capture_destroy(service->capture);
		service->capture = NULL;
	}
	service_drop_environment(service);
	heap_give_back();
}

void service_on_queue_closed(struct service *service)
{
	if (!service->is_open || service->queue[0] < 0)
		return;
	bool is_idle = service->state == STATE_ON_DEMAND && service->n_workers == 0 &&
		       handoff_queue_depth(service->queue[1]) == 0;
	if (!is_idle) {
		service_tell_queue(service);
		return;
	}
	watch_stop(service);
	close_ends(service);
	give_memory_back(service);
	keeper_touch(service);
}

/* The listeners go at once; the queue stays until the workers are gone. */
static void close_listeners(struct service *service)
{
	for (uint32_t i = 0; i < service->n_listeners; i++)
		service_tell_listener(service, &service->listeners[i], CONTROL_LISTENER_CLOSE);
	if (service->n_listeners && service->acceptor)
		service->close_sync = acceptor_ask_sync(service->acceptor);
	listeners_close(service->listeners, service->n_listeners);
	service->listeners = NULL;
	service->n_listeners = 0;
	keeper_touch(service);
	keeper_settle(service->supervisor);
}

/* Clients that nobody will serve any more see the end of their connection now. */
static void close_queue(struct service *service)
{
	struct handoff record;
	int connection;
	if (!service->is_open)
		return;
	service->is_open = false;
	/* The queue's other end travels along: it must not look closed before it is to be forgotten. */
	struct control_number message = { CONTROL_FORGET, service->slot };
	if (service->acceptor)
		acceptor_tell(service->acceptor, &message, service->queue[1]);
	while (service->queue[1] >= 0 &&
		handoff_receive(service->queue[1], &record, &connection) == 1)
		fd_close(&connection);
	close_ends(service);
}

static void terminate_workers(struct service *service)
{
	service->is_hurried = service->terminate_ms != 0;
	service->terminate_ms = clock_now_ms();
	watch_stop(service);
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		worker_stop(worker);
	service->n_working = 0;
}

static void carry_out(struct service *service, unsigned actions)
{
	if (actions & ACTION_OPEN)
		open_listeners(service);
	if (actions & ACTION_CLOSE)
		close_listeners(service);
	if (actions & ACTION_PAUSE)
		service_tell_number(service, CONTROL_PAUSE);
	if (actions & ACTION_RESUME)
		service_tell_number(service, CONTROL_RESUME);
	if (actions & ACTION_TERMINATE)
		terminate_workers(service);
	if (actions & ACTION_DRAIN)
		watch_stop(service);
	if (actions & ACTION_DELAY)
		pool_retry_after(service, pool_next_delay_ms(service));
	if (actions & ACTION_DELAY_LONG)
		pool_retry_after(service, STATE_FAILED_RETRY_MS);
	if (actions & ACTION_WATCH)
		watch_start(service);
	if (actions & ACTION_SPAWN)
		pool_fill(service);
	if (actions & (ACTION_TERMINATE | ACTION_DRAIN))
		ending_check(service);
}

void service_raise(struct service *service, enum service_event event)
{
	enum service_state before = service->state;
	struct service_step step = service_state_step(before, event);
	if (!step.is_allowed)
		return;
	if (step.next != before) {
		service->state = step.next;
		service->state_since_ms = clock_now_ms();
		log_debug("%s: %s -> %s", service->config->name, service_state_name(before),
			service_state_name(step.next));
		events_on_state(service, (enum service_state)service->standing.told, step.next);
		standing_change(&service->standing, step.next, service->state_since_ms);
	}
	/* Whatever was planned before the event is planned anew by it, or not at all. */
	if (step.actions || step.next != before)
		pool_retry_cancel(service);
	if (step.next == STATE_STOPPED)
		leftovers_forget(service);
	bool is_taken_down = step.next == STATE_STOPPED || (step.actions & (ACTION_TERMINATE | ACTION_DRAIN));
	if (is_taken_down)
		roll_cancel(service, "it was stopped or restarted before the new configuration was ready");
	if (step.next == STATE_STOPPED) {
		close_listeners(service);
		close_queue(service);
	}
	carry_out(service, step.actions);
	keeper_touch(service);
	if (service->state == STATE_ON_DEMAND && step.next != before)
		rest(service);
	if (service->state == step.next && step.next != before)
		supervisor_on_change(service->supervisor, service);
}

/* xinetd counted these for a wait service's command; here the command alone can. */
static void tell_unkept_limits(const struct service *service)
{
	const struct service_config *config = service->config;
	bool has_limits = config->admission->max_connections != MAX_CONNECTIONS_DEFAULT ||
			  config->admission->max_per_source || config->admission->rate.count ||
			  config->admission->rate_per_source.count;
	if (config->type == SERVICE_LISTEN && has_limits)
		log_notice("%s: max_connections, max_per_source, rate and rate_per_source are left to the "
			   "program, which accepts by itself",
			config->name);
}

void service_start(struct service *service)
{
	tell_unkept_limits(service);
	service->is_wanted = true;
	service->is_awaiting = false;
	service->start_ms = clock_now_ms();
	service_forget_failures(service);
	bool is_on_demand =
		service->config->n_listen && service->config->supervision->workers_min == 0;
	service_raise(service, is_on_demand ? EVENT_START_IDLE : EVENT_START);
	late_expect(service);
}

/* ---- what others ask ------------------------------------------------------------------------- */

struct capture *service_capture(struct service *service)
{
	if (!service->capture)
		service->capture = capture_create(
			service->supervisor->loop, service->config->name, CAPTURE_PROGRAM);
	else if (capture_wake(service->capture) < 0)
		return NULL;
	return service->capture;
}

char **service_environment(struct service *service)
{
	if (!service->environment)
		service->environment = environment_create(
			service->config, service->n_listeners, readiness_path(service->supervisor));
	return service->environment;
}

void service_drop_environment(struct service *service)
{
	free(service->environment);
	service->environment = NULL;
}

struct history *service_history(struct service *service)
{
	static struct history spare;
	if (!service->history)
		service->history = calloc(1, sizeof *service->history);
	return service->history ? service->history : &spare;
}

void service_forget_failures(struct service *service)
{
	if (service->history)
		backoff_reset(&service->history->backoff);
}

uint64_t service_taken(const struct service *service)
{
	if (!service->acceptor)
		return 0;
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	return score_get(score->handed) - score_get(score->waiting);
}
