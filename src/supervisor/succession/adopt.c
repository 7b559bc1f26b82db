#include "supervisor/succession/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <ev.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "process/environment.h"
#include "process/orphans.h"
#include "supervisor/acceptor.h"
#include "supervisor/helpers.h"
#include "supervisor/listeners/late.h"
#include "supervisor/log/capture.h"
#include "supervisor/service/ending.h"
#include "supervisor/service/memory_watch.h"
#include "supervisor/service/pool.h"
#include "supervisor/service/readiness.h"
#include "supervisor/service/ready_pipe.h"
#include "supervisor/service/sequence.h"
#include "supervisor/service/service.h"
#include "supervisor/service/watch.h"
#include "supervisor/succession/keeper.h"
#include "supervisor/succession/saved.h"
#include "supervisor/succession/saved_clients.h"
#include "supervisor/succession/saved_configs.h"
#include "supervisor/supervisor.h"
#include "supervisor/zone.h"
#include "wire/scoreboard.h"

const char adopt_variable[] = "FDSUP_STATE";

static int state_fd = -1, pack_fd = -1;

bool adopt_is_asked(void)
{
	const char *text = getenv(adopt_variable);
	bool is_asked = text && sscanf(text, "%d %d", &state_fd, &pack_fd) == 2;
	unsetenv(adopt_variable);
	return is_asked;
}

/* What the exec let through is ours alone again. */
static int close_on_exec(void *context, struct state_record *record)
{
	(void)context;
	for (size_t i = 0; i < record->fds.n; i++)
		fcntl(record->fds.items[i], F_SETFD, FD_CLOEXEC);
	return 0;
}

int adopt_read(struct supervisor *supervisor, struct state *state)
{
	char error[STATE_ERROR_SIZE];
	int r = state_read(state_fd, state, error);
	fd_close(&state_fd);
	if (r < 0) {
		log_error("%s", error);
		return r;
	}
	state->owns_fds = true;
	state_each(state, "", close_on_exec, NULL);
	if (pack_fd >= 0)
		fcntl(pack_fd, F_SETFD, FD_CLOEXEC);
	supervisor->pack_fd = pack_fd;
	return 0;
}

int adopt_restore(struct supervisor *supervisor, struct state *state)
{
	char error[STATE_ERROR_SIZE] = "";
	int r = saved_restore(supervisor, state, error);
	environment_set_instance(supervisor->instance);
	if (r == 0 && supervisor->n_crashes)
		orphans_adopt(supervisor->instance);
	saved_configs_free(supervisor);
	fd_close(&supervisor->pack_fd);
	if (r < 0)
		log_error("what runs cannot be taken over: %s", error);
	for (size_t i = 0; r == 0 && i < supervisor->n_services; i++)
		if (!supervisor->services[i]->is_leaving)
			builtin_ports_add(
				&supervisor->builtin_ports, supervisor->services[i]->config);
	return r;
}

/* ---- taking up --------------------------------------------------------------------------------- */

static int resume_acceptor(struct acceptor *acceptor)
{
	struct supervisor *supervisor = acceptor->supervisor;
	int r = scoreboard_map(acceptor->board_fd, &acceptor->board);
	if (r < 0) {
		log_error("the counters of an acceptor are lost: %s", strerror(-r));
		return r;
	}
	capture_resume(acceptor->capture);
	if (!acceptor->child.pid)
		return 0;
	children_resume(&supervisor->children, &acceptor->child);
	if (acceptor->channel.socket >= 0)
		acceptor_listen(acceptor);
	else
		acceptor->is_renewed = true; /* it was told to end, and has not yet */
	return 0;
}

static uint64_t left_ms(uint64_t due_ms)
{
	uint64_t now_ms = clock_now_ms();
	return due_ms > now_ms ? due_ms - now_ms : 1;
}

static void resume_worker(struct worker *worker)
{
	children_resume(&worker->service->supervisor->children, &worker->child);
	ready_pipe_resume(worker->ready_pipe);
	if (worker->due_ms)
		worker_set_timer(worker, left_ms(worker->due_ms));
	if (worker->has_watchdog)
		worker_on_watchdog(worker);
	worker->due_ms = 0;
}

/* What it waits for follows from its state; how long it has waited does not matter. */
static void resume_waiting(struct service *service)
{
	if (service->next_try_ms)
		pool_set_timer(service, left_ms(service->next_try_ms), true);
	else if (service->state == STATE_DRAINING || service->terminate_ms)
		pool_set_timer(service, 1, true);
	else if (service->n_working == 0 &&
		 (service->state == STATE_ON_DEMAND || service->state == STATE_PAUSED))
		watch_start(service);
	else if (service->queue[1] >= 0 && service->n_working)
		watch_begin(service);
	else if (service->state == STATE_STARTING && service->n_workers == 0)
		pool_retry_after(service, 1);
}

static void resume_service(struct service *service)
{
	capture_resume(service->capture);
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		resume_worker(worker);
	resume_waiting(service);
	if (service->missing)
		late_expect(service);
	if (service->config->supervision->max_rss && service->n_workers)
		memory_watch_start(service->supervisor);
}

/* A program of ours that was replaced with us takes the place of those that run, as after a reload. */
static void replace_old_programs(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_acceptors; i++) {
		struct acceptor *acceptor = supervisor->acceptors[i];
		if (!acceptor_is_running(acceptor))
			acceptor_replace(acceptor);
		else if (acceptor->program != helpers_identity(supervisor->acceptor_path))
			acceptor_renew(acceptor);
	}
	uint64_t before = supervisor->worker_programs;
	supervisor->worker_programs = helpers_identity_of_workers(supervisor);
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		bool is_open = service->state != STATE_STOPPED && service->state != STATE_DRAINING;
		if (before != supervisor->worker_programs && is_open &&
			service_type_is_ours(service->config->type))
			service_roll(service);
	}
}

/* One that was just being started for it may be nobody's: no death will be told of it. */
static void fill_pools(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		if (service->n_working && !service->next_try_ms)
			pool_on_left(service);
	}
}

int adopt_resume(struct supervisor *supervisor, struct state *state)
{
	for (size_t i = 0; i < supervisor->n_acceptors; i++) {
		int r = resume_acceptor(supervisor->acceptors[i]);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < supervisor->n_services; i++)
		resume_service(supervisor->services[i]);
	saved_clients_restore(supervisor, state);
	zone_refresh(supervisor);
	sequence_look(supervisor);
	keeper_resume(supervisor);
	replace_old_programs(supervisor);
	fill_pools(supervisor);
	return 0;
}

/* ---- after a death ----------------------------------------------------------------------------- */

/* A worker that tried a new configuration: the reload that comes next begins with another. */
static void end_trial(struct worker *worker)
{
	if (worker->generation <= worker->service->generation || !worker_is_working(worker))
		return;
	worker_stop(worker);
	worker->service->n_working--;
}

static void adopt_child(struct child *child, const char *instance)
{
	child->is_adopted = true;
	/* Without its descriptor it must at least be what it says. */
	if (child->pid && child->pidfd < 0 && orphans_is_of(child->pid, instance))
		child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
}

/* Its answers to questions of before must not be taken for answers to ours. */
enum { SYNCS_APART = 1 << 16 };

void adopt_orphans(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_acceptors; i++) {
		struct acceptor *acceptor = supervisor->acceptors[i];
		adopt_child(&acceptor->child, supervisor->instance);
		acceptor->n_syncs += SYNCS_APART;
	}
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		for (struct worker *worker = service->workers; worker; worker = worker->next)
			adopt_child(&worker->child, supervisor->instance);
	}
}

static void hear_note(struct supervisor *supervisor, const char *text)
{
	char *rest;
	long pid = strtol(text, &rest, 10);
	if (*rest == ' ')
		readiness_hear(supervisor, (pid_t)pid, rest + 1);
}

void adopt_hear_notes(struct supervisor *supervisor, const struct state *state)
{
	for (size_t i = 0; i < state->n; i++)
		if (!strncmp(state->records[i].key, "note/", 5))
			hear_note(supervisor, json_string_value(state->records[i].json));
	for (size_t i = 0; i < supervisor->n_services; i++)
		for (struct worker *worker = supervisor->services[i]->workers; worker;
			worker = worker->next)
			end_trial(worker);
	for (size_t i = 0; keeper_is_in_doubt(supervisor) && i < supervisor->n_acceptors; i++)
		if (acceptor_is_running(supervisor->acceptors[i]))
			acceptor_renew(supervisor->acceptors[i]);
}

enum { LOOK_MS = 50, GRACE_MS = 10000 };

struct sweep {
	int signal;
	unsigned n;
};

/* One that hangs: it would not end for less, and has nothing more to say. */
static bool is_keeper(pid_t pid)
{
	static const char name[] = "fdsup-keeper\n";
	char path[32], text[sizeof name];
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof text) == sizeof name - 1 &&
	       !memcmp(text, name, sizeof name - 1);
}

static void sweep_one(void *context, pid_t pid, const char *service)
{
	(void)service;
	struct sweep *sweep = context;
	sweep->n++;
	kill(pid, is_keeper(pid) ? SIGKILL : sweep->signal);
	kill(pid, SIGCONT);
}

unsigned adopt_end_left(const char *instance)
{
	uint64_t begin_ms = clock_now_ms();
	unsigned n_most = 0;
	for (;;) {
		uint64_t since_ms = clock_now_ms() - begin_ms;
		struct sweep sweep = { .signal = since_ms < GRACE_MS ? SIGTERM : SIGKILL };
		if (orphans_walk_instance(instance, sweep_one, &sweep) < 0 || sweep.n == 0 ||
			since_ms > 2 * GRACE_MS)
			return n_most;
		n_most = sweep.n > n_most ? sweep.n : n_most;
		poll(NULL, 0, LOOK_MS);
	}
}

/* ---- trying ------------------------------------------------------------------------------------ */

/* Of the descriptors only these are here. */
static int place_texts(void *context, struct state_record *record)
{
	int *next_fd = context;
	if (record->fds.n)
		record->fds.items[0] = (*next_fd)++;
	return 0;
}

static bool can_wait(void)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!loop)
		printf("it cannot make an event loop: %s\n", strerror(errno));
	else
		ev_loop_destroy(loop);
	return loop;
}

int adopt_check(void)
{
	struct supervisor supervisor = {
		.is_check = true,
		.pack_fd = ADOPT_PACK_FD,
		.kept_admin_fd = -1,
		.kept_notify_fd = -1,
		.null_fd = -1,
	};
	struct state state;
	char error[STATE_ERROR_SIZE] = "";
	int texts_fd = ADOPT_TEXTS_FD;
	bool can = helpers_find_all(&supervisor) == 0 && can_wait();
	if (can && state_read(ADOPT_STATE_FD, &state, error) == 0) {
		state_each(&state, "texts/", place_texts, &texts_fd);
		can = saved_restore(&supervisor, &state, error) == 0;
	}
	if (*error)
		printf("%s\n", error);
	if (!can || *error)
		return EXIT_FAILURE;
	printf("ok %s\n", FDSUP_VERSION);
	return EXIT_SUCCESS;
}
