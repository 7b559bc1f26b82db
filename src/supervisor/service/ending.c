#include "supervisor/service/ending.h"

#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "process/cgroup.h"
#include "process/orphans.h"
#include "supervisor/acceptor.h"
#include "supervisor/deaths/deaths.h"
#include "supervisor/service/pool.h"
#include "supervisor/supervisor.h"
#include "wire/handoff.h"

/* How often a service that ends is looked through for what is left of it. */
enum { SWEEP_MS = 50, SWEEP_DRAINING_MS = 1000 };

/* How long the acceptor may take to confirm that it has closed the listeners. */
enum { SYNC_MAX_MS = 2000 };

struct sweep {
	const struct service *service;
	int signal; /* 0: count only */
	unsigned n_left;
};

static void end_one(void *context, pid_t pid)
{
	struct sweep *sweep = context;
	sweep->n_left++;
	/* What it descends from may have told it to ignore one of the two. */
	if (sweep->signal == SIGTERM)
		kill(pid, sweep->service->config->supervision->stop_signal);
	if (sweep->signal)
		kill(pid, sweep->signal);
}

static void sweep_one(void *context, pid_t pid, const char *name)
{
	const struct sweep *sweep = context;
	if (name && !strcmp(name, sweep->service->config->name))
		end_one(context, pid);
}

/* A cgroup knows its processes whatever their environment is. 0 or -errno. */
static int sweep_all(struct sweep *sweep)
{
	const struct service *service = sweep->service;
	if (service->has_cgroup) {
		cgroup_walk(service->config->name, end_one, sweep);
		if (sweep->n_left && sweep->signal == SIGKILL)
			cgroup_kill(service->config->name);
		if (sweep->n_left)
			return 0;
	}
	return orphans_walk(sweep_one, sweep);
}

/* TERM at first, KILL when the time is over; nothing for those that may finish. */
static int sweep_signal(const struct service *service)
{
	if (!service->terminate_ms)
		return 0;
	uint64_t since_ms = clock_now_ms() - service->terminate_ms;
	return service->is_hurried || since_ms >= service->config->supervision->stop_timeout
		       ? SIGKILL
		       : SIGTERM;
}

/* A new service of the same name: its processes cannot be told from what is left of this one. */
static bool has_successor(const struct service *service)
{
	return service->is_leaving &&
	       supervisor_find(service->supervisor, service->config->name) != NULL;
}

/* Connections that were accepted before the listeners were closed, and that no worker has yet. */
static bool has_accepted_ones(const struct service *service)
{
	if (!service->is_open)
		return false;
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	bool has_queued = service->queue[1] >= 0 && handoff_queue_depth(service->queue[1]) > 0;
	bool has_in_hand =
		score_get(score->paused) & (SCORE_PAUSED_QUEUE | SCORE_PAUSED_NO_QUEUE);
	return has_queued || has_in_hand ||
	       score_get(score->held) > 0;
}

/* Lets the workers go when there is nothing left to take; starts one for what is left. */
static void drain(struct service *service)
{
	const char *step;
	if (!has_accepted_ones(service))
		pool_drain_workers(service);
	else if (service->n_working == 0 && worker_start(service, 0, &step) < 0)
		log_warning("%s: cannot start a worker for what it has still accepted: %s; tried again",
			service->config->name, step);
}

/*
 * Whether its listeners are closed in the acceptor, too: until then it may still accept, and hand off.
 * An acceptor that does not answer is not waited for.
 */
static bool is_closed(const struct service *service)
{
	if (service->state != STATE_DRAINING || !service->acceptor)
		return true;
	return acceptor_has_synced(service->acceptor, service->close_sync) ||
	       clock_now_ms() - service->state_since_ms >= SYNC_MAX_MS;
}

void ending_check(struct service *service)
{
	bool is_draining = service->state == STATE_DRAINING && !service->terminate_ms;
	if (!is_closed(service)) {
		pool_set_timer(service, SWEEP_MS, true);
		return;
	}
	if (is_draining)
		drain(service);
	else if (!service->terminate_ms)
		return;
	if (service->n_workers) {
		if (is_draining)
			pool_set_timer(service, service->n_working ? SWEEP_MS : SWEEP_DRAINING_MS, true);
		return;
	}
	if (service->has_spawned && !has_successor(service)) {
		struct sweep sweep = { service, sweep_signal(service), 0 };
		if (sweep_all(&sweep) == 0 && sweep.n_left) {
			pool_set_timer(service, is_draining ? SWEEP_DRAINING_MS : SWEEP_MS, true);
			return;
		}
		service->has_spawned = false;
		if (service->has_cgroup && cgroup_remove(service->config->name) == 0)
			service->has_cgroup = false;
	}
	service->terminate_ms = 0;
	service->is_hurried = false;
	service_raise(service, service->state == STATE_HUNG ? deaths_verdict_on_hung(service) : EVENT_EMPTY);
}

unsigned ending_clear_leftovers(const struct service *service)
{
	struct sweep sweep = { service, SIGTERM, 0 };
	if (service->n_workers || sweep_all(&sweep) < 0)
		return 0;
	return sweep.n_left;
}
