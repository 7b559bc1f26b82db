#include "supervisor/acceptor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/capability.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/shortage.h"
#include "base/text.h"
#include "policy/health.h"
#include "process/orphans.h"
#include "process/spawn.h"
#include "supervisor/connections.h"
#include "supervisor/helpers.h"
#include "supervisor/log/capture.h"
#include "supervisor/notices.h"
#include "supervisor/pulse.h"
#include "supervisor/reload/reload.h"
#include "supervisor/service/service.h"
#include "supervisor/succession/keeper.h"
#include "supervisor/supervisor.h"
#include "supervisor/zone.h"
#include "wire/estate.h"

/* An acceptor is never given up, and clients wait for it: its delays are short. */
static const struct backoff_rule replace_rule = { .delay_ms = 50, .delay_max_ms = 2000 };

/* What it holds is handed off in milliseconds: one that has not ended by then never will. */
enum { ENDING_PATIENCE_MS = 5000 };

/* ---- the process ----------------------------------------------------------------------------- */

static void introduce_services(struct acceptor *acceptor)
{
	struct supervisor *supervisor = acceptor->supervisor;
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (supervisor->services[i]->acceptor == acceptor)
			service_introduce(supervisor->services[i]);
}

/*
 * What the dead one last said of its own doing is no longer true. The connections it had, `live` and
 * `held`, are for its successor to take over; the totals stay.
 */
static void reset_present(struct acceptor *acceptor)
{
	for (uint32_t slot = 0; slot < SCOREBOARD_SLOTS; slot++) {
		if (!acceptor->used_slots[slot] || !scoreboard_has_row(acceptor->board, slot))
			continue;
		struct score *score = scoreboard_take_row(acceptor->board, slot);
		score_set(score->waiting, 0);
		score_set(score->paused, 0);
		score_set(score->most_per_source, 0);
		score_set(score->oldest_ns, 0);
		score_set(score->oldest_waiting_ns, 0);
		score_set(score->oldest_pid, 0);
	}
}

static void close_channel(struct acceptor *acceptor)
{
	pulse_stop(acceptor);
	ev_io_stop(acceptor->supervisor->loop, &acceptor->readable);
	ev_io_stop(acceptor->supervisor->loop, &acceptor->writable);
	channel_fini(&acceptor->channel);
	acceptor->n_synced = acceptor->n_syncs;
}

static void plan_retry(struct acceptor *acceptor, uint64_t delay_ms)
{
	ev_timer_stop(acceptor->supervisor->loop, &acceptor->retry);
	ev_timer_set(&acceptor->retry, (double)delay_ms / 1000, 0);
	ev_timer_start(acceptor->supervisor->loop, &acceptor->retry);
}

/* All that it and those before it have accepted. */
static uint64_t n_accepted(struct acceptor *acceptor)
{
	uint64_t n = 0;
	for (uint32_t slot = 0; slot < SCOREBOARD_SLOTS; slot++)
		if (acceptor->used_slots[slot])
			n += score_get(acceptor_score(acceptor, slot)->accepted);
	return n;
}

/* One that has accepted anything was of use, and is replaced at once. */
static uint64_t judge_death(struct acceptor *acceptor, uint64_t age_ms, bool was_started)
{
	struct backoff_death death = {
		.now_ms = clock_now_ms(),
		.age_ms = age_ms,
		.was_useful = was_started && n_accepted(acceptor) > acceptor->accepted_before,
		.chance = drand48(),
	};
	return backoff_on_death(&acceptor->backoff, &replace_rule, &death).delay_ms;
}

void acceptor_replace(struct acceptor *acceptor)
{
	reset_present(acceptor);
	int r = acceptor_start(acceptor);
	if (r == 0) {
		acceptor->n_restarts++;
		introduce_services(acceptor);
		acceptor_tell_estate(acceptor);
		return;
	}
	uint64_t delay_ms = judge_death(acceptor, 0, false);
	char delay[TEXT_DURATION_SIZE];
	log_error("cannot start the acceptor %s: %s; clients wait in the kernel, next try in %s",
		acceptor->supervisor->acceptor_path, shortage_explain(-r),
		text_format_duration(delay, delay_ms));
	plan_retry(acceptor, delay_ms);
}

static void on_retry(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	struct acceptor *acceptor = watcher->data;
	if (!acceptor_is_running(acceptor)) {
		acceptor_replace(acceptor);
		return;
	}
	log_error("acceptor %d was told to end and has not: it is killed", (int)acceptor->child.pid);
	kill(acceptor->child.pid, SIGKILL);
}

/*
 * Its guard hands over what it had, and nobody is served while that is suspended. It is alone now in the
 * process group that the acceptor had made.
 */
static void wake_guard(struct acceptor *acceptor)
{
	if (acceptor->group > 1)
		kill(-acceptor->group, SIGCONT);
	acceptor->group = 0;
}

static void on_exit_of_acceptor(struct child *child, int status, const struct rusage *usage)
{
	(void)usage;
	struct acceptor *acceptor =
		(struct acceptor *)((char *)child - offsetof(struct acceptor, child));
	wake_guard(acceptor);
	capture_end(acceptor->capture);
	close_channel(acceptor);
	ev_timer_stop(acceptor->supervisor->loop, &acceptor->retry);
	acceptor->is_ready = false;
	connections_on_acceptor_gone(acceptor);
	reload_on_confirmation(acceptor->supervisor); /* one that is gone has nothing to confirm any more */
	keeper_touch_acceptor(acceptor);
	if (acceptor->is_stopping) {
		supervisor_on_acceptor_gone(acceptor->supervisor, acceptor);
		return;
	}
	if (acceptor->is_renewed) {
		acceptor->is_renewed = false;
		log_notice("acceptor: the program was replaced, and another process has taken its place");
		acceptor_replace(acceptor);
		return;
	}
	uint64_t age_ms = clock_now_ms() - acceptor->started_ms;
	uint64_t delay_ms = judge_death(acceptor, age_ms, true);
	char text[HEALTH_STATUS_SIZE], age[TEXT_DURATION_SIZE], delay[TEXT_DURATION_SIZE];
	log_error("acceptor %s after %s; clients wait in the kernel, replaced in %s",
		health_format_status(text, status), text_format_duration(age, age_ms),
		text_format_duration(delay, delay_ms));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		log_error("the acceptor made a system call that it never makes, and its sandbox killed "
			  "it: somebody may have taken it over, or memory is broken; the kernel log "
			  "(dmesg, type=1326) has the number of the call");
	if (delay_ms)
		plan_retry(acceptor, delay_ms);
	else
		acceptor_replace(acceptor);
}

/* Without it, what workers report is all that is known: see fdsupctl status -v. */
static int open_notices(const struct acceptor *acceptor)
{
	int fd = acceptor->supervisor->config->ledger == LEDGER_BY_KERNEL ? notices_open() : -1;
	if (fd < -1)
		log_debug("acceptor: the kernel gives no notices of connections: %s", strerror(-fd));
	return fd < 0 ? -1 : fd;
}

static pid_t spawn_process(struct acceptor *acceptor, int control_fd, const char **ret_step)
{
	fd_auto int notices_fd = open_notices(acceptor);
	const struct supervisor *supervisor = acceptor->supervisor;
	char max_notices[16];
	snprintf(max_notices, sizeof max_notices, "%u", supervisor->config->max_notices);
	const char *argv[] = {
		"fdsup-acceptor", "--control", "3", "--scoreboard", "4",
		notices_fd >= 0 ? "--notices" : NULL, "5", "--max-notices", max_notices, NULL,
	};
	char instance[64];
	snprintf(instance, sizeof instance, "%s=%s", orphans_instance, supervisor->instance);
	const char *const environment[] = { instance, NULL };
	struct spawn_request request = {
		.path = supervisor->acceptor_path,
		.argv = (char *const *)argv,
		.envp = (char *const *)environment,
		.account = &supervisor->config->acceptor_account,
		.umask = 077,
		.no_new_privileges = true,
		.is_bounded = capability_permitted() & CAPABILITY_BIT(CAPABILITY_SETPCAP),
		.descriptors = {
			{ supervisor->null_fd, 0 },
			{ supervisor->null_fd, 1 },
			{ capture_write_end(acceptor->capture), 2 },
			{ control_fd, 3 },
			{ acceptor->board_fd, 4 },
			{ notices_fd, 5 },
		},
		.n_descriptors = notices_fd >= 0 ? 6 : 5,
	};
	return spawn(&request, ret_step);
}

/* Without it a process that is killed takes some connections with it: the next one tries again. */
static void open_estate(struct acceptor *acceptor)
{
	int ends[2];
	if (acceptor->estate_out >= 0 && acceptor->estate_in >= 0)
		return;
	int r = estate_open(ends);
	if (r < 0) {
		log_error("acceptor: no socket for what it leaves when it dies: %s", strerror(-r));
		return;
	}
	fd_close(&acceptor->estate_out);
	fd_close(&acceptor->estate_in);
	acceptor->estate_out = ends[0];
	acceptor->estate_in = ends[1];
}

static void tell_estate(struct acceptor *acceptor, uint32_t kind, int fd)
{
	const struct control_number message = { .kind = kind };
	if (fd >= 0 || kind == CONTROL_ESTATE_IN)
		acceptor_tell(acceptor, &message, fd);
}

void acceptor_tell_estate(struct acceptor *acceptor)
{
	tell_estate(acceptor, CONTROL_ESTATE_IN, acceptor->estate_in);
}

int acceptor_start(struct acceptor *acceptor)
{
	int ends[2];
	const char *step;
	open_estate(acceptor);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	fd_auto int ours = ends[0];
	fd_auto int theirs = ends[1];
	pid_t pid = spawn_process(acceptor, theirs, &step);
	if (pid < 0) {
		log_error("acceptor: %s: %s", step, strerror(-pid));
		return pid;
	}
	acceptor->child.pid = pid;
	children_add_lasting(&acceptor->supervisor->children, &acceptor->child);
	acceptor->started_ms = clock_now_ms();
	acceptor->program = helpers_identity(acceptor->supervisor->acceptor_path);
	acceptor->accepted_before = n_accepted(acceptor);
	channel_init(&acceptor->channel, fd_take(&ours));
	channel_deepen(&acceptor->channel); /* it is told of five hundred services in one go */
	acceptor_listen(acceptor);
	tell_estate(acceptor, CONTROL_ESTATE_OUT, acceptor->estate_out);
	zone_tell(acceptor->supervisor, acceptor);
	keeper_touch_acceptor(acceptor);
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct acceptor *acceptor_make(struct supervisor *supervisor, unsigned number)
{
	struct acceptor *acceptor = calloc(1, sizeof *acceptor);
	if (!acceptor)
		return NULL;
	acceptor->supervisor = supervisor;
	acceptor->child.pidfd = -1;
	acceptor->child.on_exit = on_exit_of_acceptor;
	acceptor->number = number;
	acceptor->channel.socket = acceptor->board_fd = -1;
	acceptor->estate_out = acceptor->estate_in = -1;
	ev_init(&acceptor->retry, on_retry);
	pulse_init(acceptor);
	acceptor->retry.data = acceptor;
	acceptor->used_slots = calloc(SCOREBOARD_SLOTS, 1);
	if (acceptor->used_slots)
		return acceptor;
	acceptor_destroy(acceptor);
	return NULL;
}

struct acceptor *acceptor_create(struct supervisor *supervisor, unsigned number)
{
	struct acceptor *acceptor = acceptor_make(supervisor, number);
	if (!acceptor)
		return NULL;
	acceptor->capture = capture_create(supervisor->loop, "acceptor", CAPTURE_OURS);
	int r = acceptor->capture
			? scoreboard_create(&acceptor->board_fd, &acceptor->board)
			: -ENOMEM;
	if (r < 0) {
		acceptor_destroy(acceptor);
		errno = -r;
		return NULL;
	}
	return acceptor;
}

/* Whoever else may have a copy of the socket: the process sees its end. */
static void hang_up(struct acceptor *acceptor)
{
	if (acceptor->channel.socket >= 0)
		shutdown(acceptor->channel.socket, SHUT_RDWR);
	close_channel(acceptor);
	if (acceptor_is_running(acceptor))
		plan_retry(acceptor, ENDING_PATIENCE_MS);
}

void acceptor_renew(struct acceptor *acceptor)
{
	acceptor->is_renewed = true;
	hang_up(acceptor);
}

void acceptor_stop(struct acceptor *acceptor)
{
	/* Asked for the second time. */
	if (acceptor->is_stopping && acceptor_is_running(acceptor))
		kill(acceptor->child.pid, SIGKILL);
	acceptor->is_stopping = true;
	ev_timer_stop(acceptor->supervisor->loop, &acceptor->retry);
	hang_up(acceptor);
	if (!acceptor_is_running(acceptor))
		supervisor_on_acceptor_gone(acceptor->supervisor, acceptor);
}

void acceptor_destroy(struct acceptor *acceptor)
{
	close_channel(acceptor);
	ev_timer_stop(acceptor->supervisor->loop, &acceptor->retry);
	capture_destroy(acceptor->capture);
	scoreboard_unmap(acceptor->board);
	fd_close(&acceptor->board_fd);
	fd_close(&acceptor->estate_out);
	fd_close(&acceptor->estate_in);
	free(acceptor->used_slots);
	free(acceptor);
}

bool acceptor_is_running(const struct acceptor *acceptor)
{
	return acceptor->child.pid > 0;
}

int acceptor_take_this_slot(struct acceptor *acceptor, uint32_t slot)
{
	if (slot >= SCOREBOARD_SLOTS || acceptor->used_slots[slot])
		return -EINVAL;
	acceptor->used_slots[slot] = 1;
	acceptor->n_services++;
	return 0;
}

int acceptor_take_slot(struct acceptor *acceptor)
{
	for (uint32_t slot = 0; slot < SCOREBOARD_SLOTS; slot++) {
		if (acceptor->used_slots[slot])
			continue;
		acceptor->used_slots[slot] = 1;
		acceptor->n_services++;
		return (int)slot;
	}
	return -ENOSPC;
}

void acceptor_give_slot(struct acceptor *acceptor, uint32_t slot)
{
	acceptor->used_slots[slot] = 0;
	acceptor->n_services--;
	scoreboard_clear(acceptor->board, slot);
}

const struct score *acceptor_score(struct acceptor *acceptor, uint32_t slot)
{
	return scoreboard_row(acceptor->board, slot);
}
