#include "supervisor/service/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/shortage.h"
#include "base/text.h"
#include "policy/recycle.h"
#include "supervisor/deaths/deaths.h"
#include "supervisor/reload/roll.h"
#include "supervisor/service/command_line.h"
#include "supervisor/service/memory_watch.h"
#include "supervisor/service/pool.h"
#include "supervisor/service/ready_pipe.h"
#include "supervisor/service/service.h"
#include "supervisor/service/service_tell.h"
#include "supervisor/service/worker_spawn.h"
#include "supervisor/succession/keeper.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/events.h"
#include "wire/limits.h"

enum { STATUS_SIZE = 256 };

/* fdsup-worker ends its commands itself; it is ended when it has not done so a second later. */
enum { WORKER_GRACE_MS = 1000 };

static void close_ready_pipe(struct worker *worker)
{
	ready_pipe_close(worker->ready_pipe);
	worker->ready_pipe = NULL;
}

static void on_exit_of_worker(struct child *child, int status, const struct rusage *usage)
{
	struct worker *worker = (struct worker *)((char *)child - offsetof(struct worker, child));
	worker->usage = *usage;
	deaths_on_worker_exit(worker->service, worker, worker->pid, status);
}

void worker_set_timer(struct worker *worker, uint64_t ms)
{
	struct ev_loop *loop = worker->service->supervisor->loop;
	ev_timer_stop(loop, &worker->timer);
	if (!ms)
		return;
	ev_timer_set(&worker->timer, (double)ms / 1000, 0);
	ev_timer_start(loop, &worker->timer);
}

/* Ours have signals for finishing and for ending, and end what they run themselves. */
static bool is_ours(const struct worker *worker)
{
	return service_type_is_ours(worker->service->config->type);
}

const char *worker_noun(const struct service *service)
{
	return service->config->type == SERVICE_DAEMON ? "daemon" : "worker";
}

/* Not ready in time: what happens then is what happens after any early death. */
static void on_start_timeout(struct worker *worker)
{
	char text[TEXT_DURATION_SIZE];
	log_error("%s: %s %d is not ready after %s (start_timeout); it is killed",
		worker->service->config->name, worker_noun(worker->service), worker->pid,
		text_format_duration(text, worker->service->config->supervision->start_timeout));
	worker->killing = KILLED_START_TIMEOUT;
	kill(-worker->pid, SIGKILL);
}

/* Ours end their commands themselves; other programs were asked when they were told to finish. */
static void on_drain_timeout(struct worker *worker)
{
	char text[TEXT_DURATION_SIZE];
	log_notice("%s: worker %d has not finished after %s (drain_timeout); it is ended",
		worker->service->config->name, worker->pid,
		text_format_duration(text, worker->service->config->supervision->drain_timeout));
	if (is_ours(worker))
		worker_stop(worker);
	else
		kill(-worker->pid, SIGKILL);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	struct worker *worker = watcher->data;
	switch (worker->state) {
	case WORKER_STARTING:
		on_start_timeout(worker);
		break;
	case WORKER_READY:
		pool_renew(worker->service, worker, worker->renew_why);
		break;
	case WORKER_DRAINING:
		on_drain_timeout(worker);
		break;
	case WORKER_STOPPING:
		kill(-worker->pid, SIGKILL);
		break;
	}
}

static void on_watchdog(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)events;
	struct worker *worker = watcher->data;
	char text[TEXT_DURATION_SIZE];
	ev_timer_stop(loop, watcher);
	log_error("%s: worker %d has not sent WATCHDOG=1 for %s (watchdog); it is killed",
		worker->service->config->name, worker->pid,
		text_format_duration(text, worker->service->config->supervision->watchdog));
	worker->killing = KILLED_WATCHDOG_SILENT;
	kill(-worker->pid, SIGKILL);
}

/* ---- starting -------------------------------------------------------------------------------- */

static pid_t start_process(
	struct worker *worker, const struct command_line *line, const char **ret_step)
{
	fd_auto int ready_fd = -1;
	*ret_step = "pipe";
	if (worker->service->config->supervision->ready == READY_FD) {
		worker->ready_pipe = ready_pipe_open(worker, &ready_fd);
		if (!worker->ready_pipe)
			return -errno;
	}
	pid_t pid = worker_spawn(worker->service, line, ready_fd, ret_step);
	if (pid < 0)
		close_ready_pipe(worker);
	return pid;
}

/* 0: never. */
static uint64_t retire_ms(const struct worker *worker)
{
	return (uint64_t)((double)worker->service->config->supervision->max_age * worker->share);
}

struct worker *worker_create(struct service *service)
{
	struct worker *worker = calloc(1, sizeof *worker);
	if (!worker)
		return NULL;
	worker->service = service;
	worker->child.pidfd = -1;
	worker->child.on_exit = on_exit_of_worker;
	ev_timer_init(&worker->timer, on_timer, 0, 0);
	ev_timer_init(&worker->watchdog, on_watchdog, 0, 0);
	worker->timer.data = worker->watchdog.data = worker;
	return worker;
}

int worker_start(struct service *service, uint32_t n_others, const char **ret_step)
{
	*ret_step = "queue";
	int r = service_needs_queue(service->config) ? service_make_queue(service) : 0;
	if (r < 0)
		return r;
	struct worker *worker = worker_create(service);
	*ret_step = "fork";
	if (!worker)
		return -ENOMEM;
	worker->taken_before = service_taken(service);
	struct command_line *line = command_line_create(service, n_others);
	pid_t pid = line ? start_process(worker, line, ret_step) : -ENOMEM;
	if (pid < 0) {
		free(line);
		free(worker);
		return pid;
	}
	worker->pid = pid;
	worker->state =
		service->config->supervision->ready == READY_EXEC ? WORKER_READY : WORKER_STARTING;
	worker->command = strdup(command_line_name(service->config));
	free(line);
	worker->generation = service->generation;
	worker->started_ms = clock_now_ms();
	worker->ready_ms = worker->state == WORKER_READY ? worker->started_ms : 0;
	worker->child.pid = pid;
	worker->share = recycle_share(drand48());
	worker->renew_why = "max_age is reached";
	worker_set_timer(worker, worker->state == WORKER_READY
					 ? retire_ms(worker)
					 : service->config->supervision->start_timeout);
	children_add_lasting(&service->supervisor->children, &worker->child);
	worker->next = service->workers;
	service->workers = worker;
	service->n_workers++;
	service->n_working++;
	service->has_spawned = true;
	if (service->config->supervision->max_rss)
		memory_watch_start(service->supervisor);
	keeper_tell_now(service);
	events_on_worker(worker, "started");
	return 0;
}

/* ---- what it tells ------------------------------------------------------------------------- */

void worker_on_ready(struct worker *worker)
{
	if (worker->state != WORKER_STARTING)
		return;
	close_ready_pipe(worker);
	worker->state = WORKER_READY;
	worker->ready_ms = clock_now_ms();
	roll_on_ready(worker);
	worker_set_timer(worker, retire_ms(worker));
	events_on_worker(worker, "ready");
	keeper_touch(worker->service);
	pool_end_renewal(worker);
	pool_check_ready(worker->service);
}

void worker_on_worn(struct worker *worker)
{
	if (worker->state == WORKER_READY)
		pool_renew(worker->service, worker, "max_uses is reached");
}

void worker_renew_after(struct worker *worker, uint64_t ms, const char *why)
{
	if (worker->state != WORKER_READY)
		return;
	worker->renew_why = why;
	worker_set_timer(worker, ms);
}

void worker_on_status(struct worker *worker, const char *text)
{
	char escaped[STATUS_SIZE];
	text_escape(escaped, sizeof escaped, text, strlen(text));
	free(worker->status);
	worker->status = *escaped ? strdup(escaped) : NULL;
}

void worker_on_slots(struct worker *worker, uint32_t n)
{
	worker->has_slots = true;
	worker->n_slots = n;
	keeper_touch(worker->service);
}

void worker_on_watchdog(struct worker *worker)
{
	struct ev_loop *loop = worker->service->supervisor->loop;
	if (!worker->service->config->supervision->watchdog || !worker_is_working(worker))
		return;
	ev_timer_stop(loop, &worker->watchdog);
	ev_timer_set(&worker->watchdog,
		(double)worker->service->config->supervision->watchdog / 1000, 0);
	ev_timer_start(loop, &worker->watchdog);
}

bool worker_is_working(const struct worker *worker)
{
	return worker->state == WORKER_STARTING || worker->state == WORKER_READY;
}

void worker_free(struct worker *worker)
{
	keeper_touch(worker->service);
	ev_timer_stop(worker->service->supervisor->loop, &worker->timer);
	ev_timer_stop(worker->service->supervisor->loop, &worker->watchdog);
	close_ready_pipe(worker);
	free(worker->status);
	free(worker->command);
	free(worker);
}

/* ---- ending ---------------------------------------------------------------------------------- */

void worker_stop(struct worker *worker)
{
	if (worker->state == WORKER_STOPPING) {
		/* fdsup-worker takes a second TERM for "at once", and ends its commands with KILL. */
		if (is_ours(worker))
			kill(worker->pid, SIGTERM);
		else
			kill(-worker->pid, SIGKILL);
		return;
	}
	const struct service_config *config = worker->service->config;
	close_ready_pipe(worker);
	worker->state = WORKER_STOPPING;
	keeper_touch(worker->service);
	if (config->type == SERVICE_EXEC)
		service_tell_ending(worker->service, worker->pid);
	if (is_ours(worker)) {
		kill(worker->pid, SIGTERM);
	} else {
		kill(-worker->pid, config->supervision->stop_signal);
		/* A suspended program would learn of it only when it is too late. */
		kill(-worker->pid, SIGCONT);
	}
	worker_set_timer(worker,
		config->supervision->stop_timeout + (is_ours(worker) ? WORKER_GRACE_MS : 0) + 1);
	ev_timer_stop(worker->service->supervisor->loop, &worker->watchdog);
}

/* fdsup-worker has a signal for it; other workers stop taking and finish when told to end. */
const char *worker_start_error(const struct service *service, int error)
{
	unsigned long long bytes = 0;
	const char *name = "";
	/* fdsup-worker sets those of commands itself. */
	if (service->config->limits && service->config->type != SERVICE_EXEC)
		name = limits_of_memory(service->config->limits, &bytes);
	return shortage_explain_limit(error, name, bytes);
}

void worker_drain(struct worker *worker)
{
	const struct service_config *config = worker->service->config;
	if (config->type == SERVICE_DAEMON) {
		worker_stop(worker);
		return;
	}
	close_ready_pipe(worker);
	worker->state = WORKER_DRAINING;
	keeper_touch(worker->service);
	kill(worker->pid, is_ours(worker) ? SIGHUP : config->supervision->stop_signal);
	worker_set_timer(worker, is_ours(worker) && !config->supervision->has_drain_timeout
					 ? 0
					 : config->supervision->drain_timeout);
	ev_timer_stop(worker->service->supervisor->loop, &worker->watchdog);
}

void worker_ask_reports(struct worker *worker)
{
	if (is_ours(worker))
		kill(worker->pid, SIGUSR1);
}

const char *worker_state_name(enum worker_state state)
{
	static const char *const names[] = {
		[WORKER_STARTING] = "STARTING",
		[WORKER_READY] = "READY",
		[WORKER_DRAINING] = "DRAINING",
		[WORKER_STOPPING] = "STOPPING",
	};
	return names[state];
}
