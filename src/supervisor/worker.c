#include "supervisor/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "process/spawn.h"
#include "supervisor/acceptor.h"
#include "supervisor/capture.h"
#include "supervisor/deaths.h"
#include "supervisor/pool.h"
#include "supervisor/service.h"
#include "supervisor/supervisor.h"

/* A program that knows nothing of us may use select(2), which breaks above this. */
enum { PROGRAM_NOFILE = 1024 };

enum { STATUS_SIZE = 256 };

/* fdsup-worker ends its commands itself; it is ended when it has not done so a second later. */
enum { WORKER_GRACE_MS = 1000 };

/* What a worker that finishes may take at most. */
enum { DRAIN_MAX_MS = 300 * 1000 };

static void on_exit_of_worker(struct child *child, int status, const struct rusage *usage)
{
	(void)usage;
	struct worker *worker = (struct worker *)((char *)child - offsetof(struct worker, child));
	deaths_on_worker_exit(worker->service, worker, worker->pid, status);
}

static void set_timer(struct worker *worker, uint64_t ms)
{
	struct ev_loop *loop = worker->service->supervisor->loop;
	ev_timer_stop(loop, &worker->timer);
	if (!ms)
		return;
	ev_timer_set(&worker->timer, (double)ms / 1000, 0);
	ev_timer_start(loop, &worker->timer);
}

/* Not ready in time: what happens then is what happens after any early death. */
static void on_start_timeout(struct worker *worker)
{
	char text[TEXT_DURATION_SIZE];
	log_error("%s: worker %d is not ready after %s (start_timeout); it is killed",
		worker->service->config->name, worker->pid,
		text_format_duration(text, worker->service->config->start_timeout));
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
	case WORKER_READY: /* it has reached max_age */
		pool_replace(worker->service, worker);
		break;
	case WORKER_DRAINING:
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
		text_format_duration(text, worker->service->config->watchdog));
	kill(-worker->pid, SIGKILL);
}

/* ---- the command line of fdsup-worker -------------------------------------------------------- */

enum { WORKER_OPTIONS = 20 };

struct worker_argv {
	char numbers[4][24];
	const char *items[];
};

/* Workers that there should always be do not leave when they are idle. */
static uint64_t idle_timeout_of(const struct service *service)
{
	bool is_permanent = service->n_working < service->config->workers_min;
	return is_permanent ? 0 : service->config->idle_timeout;
}

static struct worker_argv *worker_argv_create(const struct service *service)
{
	const struct service_config *config = service->config;
	static const char *const stderr_names[] = {
		[STDERR_LOG] = "log",
		[STDERR_CONNECTION] = "connection",
		[STDERR_NULL] = "null",
	};
	size_t n_items = WORKER_OPTIONS + config->command.n + 1;
	struct worker_argv *argv = calloc(1, sizeof *argv + n_items * sizeof *argv->items);
	if (!argv)
		return NULL;
	const long long numbers[] = { (long long)idle_timeout_of(service), config->stop_signal,
		(long long)config->stop_timeout, PROGRAM_NOFILE };
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		snprintf(argv->numbers[i], sizeof argv->numbers[i], "%lld", numbers[i]);
	const char *const options[] = {
		"fdsup-worker", "--queue", "3", "--service", config->name,
		"--stderr", stderr_names[config->stderr_target],
		"--idle-timeout", argv->numbers[0], "--stop-signal", argv->numbers[1],
		"--stop-timeout", argv->numbers[2], "--nofile", argv->numbers[3],
		"--", config->command_path,
	};
	_Static_assert(sizeof options / sizeof *options <= WORKER_OPTIONS, "room for the options");
	size_t n = 0;
	for (; n < sizeof options / sizeof *options; n++)
		argv->items[n] = options[n];
	for (size_t i = 0; i < config->command.n; i++)
		argv->items[n++] = config->command.items[i];
	return argv;
}

/* ---- starting -------------------------------------------------------------------------------- */

static pid_t spawn_exec_worker(
	const struct service *service, struct spawn_request *request, const char **ret_step)
{
	struct worker_argv *argv = worker_argv_create(service);
	*ret_step = "fork";
	if (!argv)
		return -ENOMEM;
	request->path = service->supervisor->worker_path;
	request->argv = (char *const *)argv->items;
	request->descriptors[request->n_descriptors++] =
		(struct spawn_descriptor){ service->queue[1], 3 };
	pid_t pid = spawn(request, ret_step);
	free(argv);
	return pid;
}

/* A long-lived program: a daemon, or a worker that finds the queue at descriptor 3. */
static pid_t spawn_program(
	const struct service *service, struct spawn_request *request, const char **ret_step)
{
	if (service->config->type == SERVICE_WORKER)
		request->descriptors[request->n_descriptors++] =
			(struct spawn_descriptor){ service->queue[1], 3 };
	request->path = service->config->command_path;
	request->argv = service->config->command.items;
	request->nofile = PROGRAM_NOFILE;
	/* The next fdsup starts its own; two of them would be worse than none for a moment. */
	request->parent_death_signal = service->config->stop_signal;
	return spawn(request, ret_step);
}

static pid_t spawn_worker(struct service *service, const char **ret_step)
{
	const struct service_config *config = service->config;
	bool is_logged = config->stderr_target != STDERR_NULL;
	struct capture *capture = is_logged ? service_capture(service) : NULL;
	char **environment = service_environment(service);
	*ret_step = "pipe";
	if (is_logged && !capture)
		return -errno;
	*ret_step = "environment";
	if (!environment)
		return -ENOMEM;
	int null_fd = service->supervisor->null_fd;
	int output_fd = capture ? capture_write_end(capture) : null_fd;
	struct spawn_request request = {
		.envp = environment,
		.account = &config->account,
		.directory = config->directory,
		.umask = config->umask,
		.nice = config->nice,
		.descriptors = { { null_fd, 0 }, { output_fd, 1 }, { output_fd, 2 } },
		.n_descriptors = 3,
	};
	return config->type == SERVICE_EXEC ? spawn_exec_worker(service, &request, ret_step)
					    : spawn_program(service, &request, ret_step);
}

/* A tenth either way, so that those that were started together do not go together. 0: never. */
static uint64_t retire_ms(const struct service *service)
{
	return (uint64_t)((double)service->config->max_age * (0.9 + 0.2 * drand48()));
}

int worker_start(struct service *service, const char **ret_step)
{
	struct worker *worker = calloc(1, sizeof *worker);
	*ret_step = "fork";
	if (!worker)
		return -ENOMEM;
	worker->taken_before = service_taken(service);
	pid_t pid = spawn_worker(service, ret_step);
	if (pid < 0) {
		free(worker);
		return pid;
	}
	worker->service = service;
	worker->pid = pid;
	worker->state = service->config->ready == READY_EXEC ? WORKER_READY : WORKER_STARTING;
	worker->command = strdup(service->config->command_path);
	worker->generation = service->generation;
	worker->started_ms = clock_now_ms();
	worker->child.pid = pid;
	worker->child.on_exit = on_exit_of_worker;
	ev_timer_init(&worker->timer, on_timer, 0, 0);
	ev_timer_init(&worker->watchdog, on_watchdog, 0, 0);
	worker->timer.data = worker->watchdog.data = worker;
	set_timer(worker, worker->state == WORKER_READY ? retire_ms(service)
							: service->config->start_timeout);
	children_add(&service->supervisor->children, &worker->child);
	worker->next = service->workers;
	service->workers = worker;
	service->n_workers++;
	service->n_working++;
	service->has_spawned = true;
	return 0;
}

/* ---- what it tells ------------------------------------------------------------------------- */

void worker_on_ready(struct worker *worker)
{
	if (worker->state != WORKER_STARTING)
		return;
	worker->state = WORKER_READY;
	set_timer(worker, retire_ms(worker->service));
	pool_check_ready(worker->service);
}

void worker_on_status(struct worker *worker, const char *text)
{
	char escaped[STATUS_SIZE];
	text_escape(escaped, sizeof escaped, text, strlen(text));
	free(worker->status);
	worker->status = *escaped ? strdup(escaped) : NULL;
}

void worker_on_watchdog(struct worker *worker)
{
	struct ev_loop *loop = worker->service->supervisor->loop;
	if (!worker->service->config->watchdog || !worker_is_working(worker))
		return;
	ev_timer_stop(loop, &worker->watchdog);
	ev_timer_set(&worker->watchdog, (double)worker->service->config->watchdog / 1000, 0);
	ev_timer_start(loop, &worker->watchdog);
}

bool worker_is_working(const struct worker *worker)
{
	return worker->state == WORKER_STARTING || worker->state == WORKER_READY;
}

void worker_free(struct worker *worker)
{
	ev_timer_stop(worker->service->supervisor->loop, &worker->timer);
	ev_timer_stop(worker->service->supervisor->loop, &worker->watchdog);
	free(worker->status);
	free(worker->command);
	free(worker);
}

/* ---- ending ---------------------------------------------------------------------------------- */

static bool is_exec(const struct worker *worker)
{
	return worker->service->config->type == SERVICE_EXEC;
}

void worker_stop(struct worker *worker)
{
	if (worker->state == WORKER_STOPPING) {
		/* fdsup-worker takes a second TERM for "at once", and ends its commands with KILL. */
		if (is_exec(worker))
			kill(worker->pid, SIGTERM);
		else
			kill(-worker->pid, SIGKILL);
		return;
	}
	const struct service_config *config = worker->service->config;
	worker->state = WORKER_STOPPING;
	if (is_exec(worker)) {
		kill(worker->pid, SIGTERM);
	} else {
		kill(-worker->pid, config->stop_signal);
		/* A suspended program would learn of it only when it is too late. */
		kill(-worker->pid, SIGCONT);
	}
	set_timer(worker, config->stop_timeout + (is_exec(worker) ? WORKER_GRACE_MS : 0) + 1);
	ev_timer_stop(worker->service->supervisor->loop, &worker->watchdog);
}

/* fdsup-worker has a signal for it; other workers stop taking and finish when told to end. */
void worker_drain(struct worker *worker)
{
	const struct service_config *config = worker->service->config;
	if (config->type == SERVICE_DAEMON) {
		worker_stop(worker);
		return;
	}
	worker->state = WORKER_DRAINING;
	kill(worker->pid, is_exec(worker) ? SIGHUP : config->stop_signal);
	set_timer(worker, is_exec(worker) ? 0 : DRAIN_MAX_MS);
	ev_timer_stop(worker->service->supervisor->loop, &worker->watchdog);
}

void worker_ask_reports(struct worker *worker)
{
	if (is_exec(worker))
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
