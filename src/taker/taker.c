#include "taker/taker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "confine/confine.h"
#include "worker/connection.h"

/* So many connections are taken before the loop looks at those that are there. */
enum { TAKEN_IN_A_ROW = 8 };

/*
 * More than the loop needs for one connection more. It has four tables with up to 16 bytes for each
 * descriptor or timer, doubles one that is full, and aborts where it gets no memory for that.
 */
enum { RESERVE_LEAST = 16 * 1024, RESERVE_EACH = 4 * 2 * 16 };

static const double retry_s = 0.5;

static void fill_report(struct report *report, enum report_kind kind, const struct handoff *record)
{
	*report = (struct report){
		.kind = (uint8_t)kind,
		.version = REPORT_VERSION,
		.length = sizeof *report,
		.connection = record->connection,
		.accepted_ns = record->accepted_ns,
		.peer = record->peer,
		.local = record->local,
	};
}

/* ---- the end of it all ----------------------------------------------------------------------- */

static void update_watchers(struct taker *taker)
{
	bool may_take = taker->mode == TAKER_SERVING && !taker->is_over &&
			!taker->is_held_back && !ev_is_active(&taker->resume) &&
			taker->settings.queue_fd >= 0;
	if (may_take)
		ev_io_start(taker->loop, &taker->connections);
	else
		ev_io_stop(taker->loop, &taker->connections);
	if (taker->mode != TAKER_SERVING || taker->is_over)
		if (taker->n_taken == 0)
			ev_break(taker->loop, EVBREAK_ALL);
}

static void drain(struct taker *taker)
{
	if (taker->mode != TAKER_SERVING)
		return;
	log_info("draining: no new connections, %zu are open", taker->n_taken);
	taker->mode = TAKER_DRAINING;
	update_watchers(taker);
}

static void stop(struct taker *taker)
{
	if (taker->mode == TAKER_STOPPING)
		return;
	log_info("stopping: %zu connections are closed", taker->n_taken);
	taker->mode = TAKER_STOPPING;
	taker->methods->stop(taker);
	update_watchers(taker);
}

static void report_again(struct taker *taker)
{
	struct report report;
	for (const struct taken *taken = taker->first; taken; taken = taken->next) {
		fill_report(&report, REPORT_TAKEN, &taken->record);
		outbox_add(&taker->outbox, &report);
	}
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
	(void)loop, (void)events;
	struct taker *taker = watcher->data;
	switch (watcher->signum) {
	case SIGTERM:
	case SIGINT:
		stop(taker);
		break;
	case SIGHUP:
		drain(taker);
		break;
	case SIGUSR1:
		report_again(taker);
		break;
	}
}

static void on_idle(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)events;
	struct taker *taker = timer->data;
	uint64_t now_ms = clock_now_ms();
	uint64_t end_ms = taker->busy_ms + taker->settings.idle_exit_ms;
	if (taker->n_taken == 0 && now_ms >= end_ms && taker->mode == TAKER_SERVING) {
		log_info("idle for %llu ms: exiting",
			(unsigned long long)taker->settings.idle_exit_ms);
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	uint64_t left_ms = now_ms < end_ms ? end_ms - now_ms : taker->settings.idle_exit_ms;
	timer->repeat = (double)left_ms / 1000;
	ev_timer_again(loop, timer);
}

/* ---- taking ---------------------------------------------------------------------------------- */

static void pause_taking(struct taker *taker, int error)
{
	if (!taker->is_short)
		log_error("cannot take a connection: %s%s: connections wait, and are tried again "
			  "every %d ms",
			strerror(-error), error == -ENOMEM ? "" : " (see ulimit -n)",
			(int)(retry_s * 1000));
	taker->is_short = true;
	taker->resume.repeat = retry_s;
	ev_timer_again(taker->loop, &taker->resume);
	update_watchers(taker);
}

void taker_hold_back(struct taker *taker, bool is_held_back)
{
	if (taker->is_held_back == is_held_back)
		return;
	taker->is_held_back = is_held_back;
	update_watchers(taker);
}

static void on_resume(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)events;
	ev_timer_stop(loop, timer);
	update_watchers(timer->data);
}

/* The kernel drops a connection that arrives where no descriptor is free: look before taking. */
static bool has_room(struct taker *taker)
{
	int error = fd_check_room(taker->settings.n_room);
	if (!taker->memory)
		taker->memory = calloc(1, taker->settings.n_memory);
	if (!taker->reserve)
		taker->reserve = malloc(RESERVE_LEAST + taker->n_taken * RESERVE_EACH);
	if (!error && (!taker->memory || !taker->reserve))
		error = -ENOMEM;
	if (error) {
		pause_taking(taker, error);
		return false;
	}
	if (taker->is_short)
		log_notice("connections can be taken again");
	taker->is_short = false;
	return true;
}

static void say_bad(struct taker *taker)
{
	if (!taker->is_bad)
		log_warning("a message on the queue was no connection and was dropped: a sender "
			    "owes one record with one descriptor (fdsup-protocol(7))");
	taker->is_bad = true;
}

/* Its client has reset it: an end without a process, as fdsup-worker reports it. */
static void drop(struct taker *taker, const struct handoff *record, int *connection)
{
	struct report report;
	fd_close(connection);
	fill_report(&report, REPORT_ENDED, record);
	outbox_add(&taker->outbox, &report);
}

/* What was kept for it is its owner's to use. */
static void hand_on(struct taker *taker, const struct handoff *record, int connection)
{
	void *memory = taker->memory;
	free(taker->reserve);
	taker->memory = taker->reserve = NULL;
	taker->methods->take(taker, record, connection, memory);
}

static void accept_one(struct taker *taker, struct handoff *record, int *connection)
{
	taker->is_bad = false;
	taker_touch(taker);
	if (!slots_claim(&taker->slots, record, taker->pid, &taker->claim)) {
		fd_close(connection); /* it was given to another */
		return;
	}
	bool is_ours = !taker->settings.is_passed_on;
	if (connection_examine(*connection, record) < 0 ||
		(is_ours && fd_set_nonblocking(*connection) < 0))
		drop(taker, record, connection);
	else
		hand_on(taker, record, fd_take(connection));
}

/* Whether there may be more. */
static bool take_one(struct taker *taker)
{
	struct handoff record;
	int connection;
	int r = handoff_receive(taker->settings.queue_fd, &record, &connection);
	if (r == 1) {
		accept_one(taker, &record, &connection);
		return true;
	}
	if (r == -EBADMSG) {
		say_bad(taker);
		return true;
	}
	if (r == 0 || r == -EPIPE) {
		taker->is_over = true;
		update_watchers(taker);
	} else if (r == -EMFILE) {
		log_error("a connection was lost: no descriptor was free for it (see ulimit -n)");
		pause_taking(taker, r);
	} else if (r != -EAGAIN) {
		pause_taking(taker, r);
	}
	return false;
}

static void on_connections(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop, (void)events;
	struct taker *taker = io->data;
	for (int i = 0; i < TAKEN_IN_A_ROW; i++)
		if (taker->is_held_back || !has_room(taker) || !take_one(taker))
			break;
}

/* ---- reporting ------------------------------------------------------------------------------- */

static void flush(struct taker *taker)
{
	outbox_flush(&taker->outbox);
	if (taker->outbox.is_full)
		ev_io_start(taker->loop, &taker->reports);
	else
		ev_io_stop(taker->loop, &taker->reports);
}

static void on_room_for_reports(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop, (void)events;
	flush(io->data);
}

static void on_before_wait(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	(void)loop, (void)events;
	struct taker *taker = prepare->data;
	if (taker->outbox.n > 0 && !taker->outbox.is_full)
		flush(taker);
}

void taker_took(struct taker *taker, struct taken *taken, const struct handoff *record)
{
	struct report report;
	*taken = (struct taken){
		.next = taker->first,
		.record = *record,
		.claim = taker->claim,
		.taken_ns = clock_now_ns(),
	};
	if (taker->first)
		taker->first->previous = taken;
	taker->first = taken;
	taker->n_taken++;
	if (taker->settings.is_passed_on)
		return;
	slot_begin(&taken->claim, taker->pid);
	fill_report(&report, REPORT_TAKEN, record);
	outbox_add(&taker->outbox, &report);
	flush(taker);
}

void taker_pass_on(struct taken *taken)
{
	slot_begin(&taken->claim, 0);
}

void taker_regain(const struct taker *taker, struct taken *taken)
{
	slot_unbegin(&taken->claim, taker->pid);
}

void taker_ended(struct taker *taker, struct taken *taken, const struct ending *ending)
{
	struct report report;
	if (taken->previous)
		taken->previous->next = taken->next;
	else
		taker->first = taken->next;
	if (taken->next)
		taken->next->previous = taken->previous;
	taker->n_taken--;
	taker_touch(taker);
	fill_report(&report, REPORT_ENDED, &taken->record);
	report.pid = getpid();
	report.duration_us = (clock_now_ns() - taken->taken_ns) / 1000;
	report.status = ending->status;
	report.bytes_in = ending->bytes_in;
	report.bytes_out = ending->bytes_out;
	outbox_add(&taker->outbox, &report);
	update_watchers(taker);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void start_watchers(struct taker *taker)
{
	static const int numbers[TAKER_SIGNALS] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	for (size_t i = 0; i < TAKER_SIGNALS; i++) {
		ev_signal_init(&taker->signals[i], on_signal, numbers[i]);
		taker->signals[i].data = taker;
		ev_signal_start(taker->loop, &taker->signals[i]);
	}
	ev_io_init(&taker->connections, on_connections, taker->settings.queue_fd, EV_READ);
	ev_io_init(&taker->reports, on_room_for_reports, taker->settings.queue_fd, EV_WRITE);
	ev_init(&taker->resume, on_resume);
	ev_init(&taker->idle, on_idle);
	ev_prepare_init(&taker->before_wait, on_before_wait);
	taker->connections.data = taker->reports.data = taker->resume.data = taker->idle.data =
		taker->before_wait.data = taker;
	ev_prepare_start(taker->loop, &taker->before_wait);
	if (taker->settings.idle_exit_ms) {
		taker->idle.repeat = (double)taker->settings.idle_exit_ms / 1000;
		ev_timer_again(taker->loop, &taker->idle);
	}
}

/* Before there is a thread that looks names up: seccomp holds for the caller and what it starts. */
static void give_up_rights(void)
{
	struct confinement confinement;
	char text[CONFINEMENT_TEXT_SIZE], missing[CONFINEMENT_TEXT_SIZE];
	confine(CONFINE_TAKER, &confinement);
	confinement_format(text, &confinement);
	confinement_format_missing(missing, &confinement);
	log_debug("sandbox: %s%s%s", text, *missing ? "; without " : "", missing);
}

int taker_open(struct taker *taker, const struct taker_methods *methods,
	const struct taker_settings *settings)
{
	int r = settings->queue_fd >= 0 ? handoff_queue_check(settings->queue_fd) : 0;
	if (r < 0)
		return r;
	*taker = (struct taker){ .methods = methods, .settings = *settings, .pid = getpid() };
	if (settings->slots_fd > 0) {
		r = slots_map(settings->slots_fd, &taker->slots);
		fd_close(&taker->settings.slots_fd);
	}
	if (r < 0)
		log_error("--slots %d: %s: connections are served without", settings->slots_fd,
			r == -EINVAL ? "no table of slots" : strerror(-r));
	/* A peer that is gone is seen by the error of the call. */
	signal(SIGPIPE, SIG_IGN);
	taker->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!taker->loop)
		return -ENOMEM;
	outbox_init(&taker->outbox, settings->queue_fd);
	parting_init(&taker->parting, taker->loop);
	start_watchers(taker);
	taker_touch(taker);
	give_up_rights();
	return 0;
}

void taker_run(struct taker *taker)
{
	update_watchers(taker);
	ev_run(taker->loop, 0);
	outbox_flush(&taker->outbox);
}

void taker_close(struct taker *taker)
{
	outbox_fini(&taker->outbox);
	slots_unmap(&taker->slots);
	free(taker->memory);
	free(taker->reserve);
	parting_fini(&taker->parting);
	ev_loop_destroy(taker->loop);
	fd_close(&taker->settings.queue_fd);
}
