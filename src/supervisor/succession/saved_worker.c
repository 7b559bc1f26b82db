#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "supervisor/service/pool.h"
#include "supervisor/service/ready_pipe.h"
#include "supervisor/service/service.h"
#include "supervisor/service/worker.h"
#include "supervisor/succession/saved.h"
#include "supervisor/supervisor.h"

static json_t *save_state(const void *object, struct state_fds *fds)
{
	(void)fds;
	const struct worker *worker = object;
	return json_string(worker_state_name(worker->state));
}

static int restore_state(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds;
	struct worker *worker = object;
	const char *name = json_string_value(value);
	for (int state = WORKER_STARTING; name && state <= WORKER_STOPPING; state++) {
		worker->state = (enum worker_state)state;
		if (!strcmp(name, worker_state_name(worker->state)))
			return 0;
	}
	snprintf(error, STATE_ERROR_SIZE, "a worker's state \"%.40s\" is unknown", name ? name : "");
	return -EINVAL;
}

/* When its timer is due, by CLOCK_MONOTONIC. */
static json_t *save_due(const void *object, struct state_fds *fds)
{
	(void)fds;
	const struct worker *worker = object;
	struct ev_loop *loop = worker->service->supervisor->loop;
	if (!ev_is_active(&worker->timer))
		return NULL;
	double left_s = ev_timer_remaining(loop, (ev_timer *)&worker->timer);
	return json_integer((json_int_t)(clock_now_ms() + (uint64_t)(left_s > 0 ? left_s * 1000 : 0)));
}

static int restore_due(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	struct worker *worker = object;
	worker->due_ms = (uint64_t)json_integer_value(value);
	return 0;
}

static json_t *save_watchdog(const void *object, struct state_fds *fds)
{
	(void)fds;
	const struct worker *worker = object;
	return ev_is_active(&worker->watchdog) ? json_true() : NULL;
}

static int restore_watchdog(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	((struct worker *)object)->has_watchdog = json_is_true(value);
	return 0;
}

static json_t *save_ready_pipe(const void *object, struct state_fds *fds)
{
	return ready_pipe_save(((const struct worker *)object)->ready_pipe, fds);
}

static int restore_ready_pipe(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)error;
	struct worker *worker = object;
	worker->ready_pipe = ready_pipe_restore(worker, value, fds);
	return worker->ready_pipe ? 0 : -EINVAL;
}

static json_t *save_replaces(const void *object, struct state_fds *fds)
{
	(void)fds;
	const struct worker *worker = object;
	return worker->replaces ? json_integer(worker->replaces->pid) : NULL;
}

static int restore_replaces(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	((struct worker *)object)->replaces_pid = (int)json_integer_value(value);
	return 0;
}

static json_t *save_why(const void *object, struct state_fds *fds)
{
	(void)fds;
	const struct worker *worker = object;
	return worker->renew_why ? json_string(worker->renew_why) : NULL;
}

/* It is a constant of this program, if this program has it. */
static int restore_why(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	static const char *const known[] = { "max_age is reached", "max_uses is reached",
		"max_rss is exceeded", pool_outdated };
	struct worker *worker = object;
	worker->renew_why = "it is to be renewed";
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (json_is_string(value) && !strcmp(json_string_value(value), known[i]))
			worker->renew_why = known[i];
	return 0;
}

static const struct state_row rows[] = {
	STATE_FIELD(STATE_SIGNED, struct worker, pid),
	STATE_FIELD(STATE_FD, struct worker, child.pidfd),
	STATE_FIELD(STATE_BOOL, struct worker, child.is_adopted),
	STATE_FIELD(STATE_UNSIGNED, struct worker, generation),
	STATE_FIELD(STATE_TEXT, struct worker, command),
	STATE_FIELD(STATE_REAL, struct worker, share),
	STATE_FIELD(STATE_UNSIGNED, struct worker, started_ms),
	STATE_FIELD(STATE_UNSIGNED, struct worker, ready_ms),
	STATE_FIELD(STATE_UNSIGNED, struct worker, taken_before),
	STATE_FIELD(STATE_TEXT, struct worker, status),
	STATE_FIELD(STATE_BOOL, struct worker, has_slots),
	STATE_FIELD(STATE_UNSIGNED, struct worker, n_slots),
	STATE_FIELD(STATE_BOOL, struct worker, is_placeless),
	STATE_PAIR("state", save_state, restore_state),
	STATE_PAIR("due_ms", save_due, restore_due),
	STATE_PAIR("watchdog", save_watchdog, restore_watchdog),
	STATE_PAIR("ready_pipe", save_ready_pipe, restore_ready_pipe),
	STATE_PAIR("replaces", save_replaces, restore_replaces),
	STATE_PAIR("renew_why", save_why, restore_why),
};

json_t *saved_worker(const struct worker *worker, struct state_fds *fds)
{
	return state_save_rows(rows, sizeof rows / sizeof *rows, worker, fds);
}

/* Behind the others, for the order of the list tells which is the newest. */
static void append_worker(struct service *service, struct worker *worker)
{
	struct worker **link = &service->workers;
	while (*link)
		link = &(*link)->next;
	*link = worker;
	service->n_workers++;
	service->n_working += worker_is_working(worker);
}

int saved_restore_worker(struct service *service, const json_t *json, struct state_fds *fds,
	char error[STATE_ERROR_SIZE])
{
	struct worker *worker = worker_create(service);
	if (!worker)
		return -ENOMEM;
	append_worker(service, worker);
	int r = state_restore_rows(rows, sizeof rows / sizeof *rows, worker, json, fds, error);
	if (r == 0 && worker->pid <= 0) {
		snprintf(error, STATE_ERROR_SIZE, "a worker has no process");
		return -EINVAL;
	}
	worker->child.pid = worker->pid;
	/* It was counted by the state that a new one has. */
	service->n_working -= worker_is_working(worker) ? 0 : 1;
	return r;
}
