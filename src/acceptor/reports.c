#include "acceptor/reports.h"

#include <errno.h>
#include <poll.h>

#include "acceptor/acceptor.h"
#include "acceptor/casualties.h"
#include "acceptor/delivery.h"
#include "acceptor/following.h"
#include "acceptor/losses.h"
#include "acceptor/vacancies.h"
#include "acceptor/unknowns.h"
#include "base/clock.h"
#include "base/log.h"
#include "policy/core_file.h"
#include "wire/report.h"

/* Messages read in one turn of the loop from one queue. */
enum { DRAIN_BATCH = 32 };

static const uint64_t deaf_patience_ns = 1000000000;

void reports_drop(struct service *service, uint32_t place, uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	if (admission_end(&service->admission, ledger_at(ledger, place)->source, now_ns))
		service->may_release = true;
	copies_drop(service, place);
	ledger_remove(ledger, &service->traffic->account, place);
}

static void note_failure(struct service *service, enum score_failure kind,
	const struct ledger_entry *entry, int32_t status, uint64_t duration_us, uint64_t now_ns)
{
	struct score *score = service->score;
	score_add(score->failures_in_row, 1);
	score_set(score->failure_kind, kind);
	score_set(score->failure_status, status);
	score_set(score->failure_pid, entry->pid);
	score_set(score->failure_ns, now_ns);
	score_set(score->failure_duration_us, duration_us);
}

/* A command that we have ended has not failed, unless it crashed on its way. */
static bool is_our_doing(
	const struct service *service, const struct ledger_entry *entry, int32_t status)
{
	bool is_excused = entry->is_excused ||
			  (entry->worker && entry->worker == service->traffic->worker_ending);
	return entry->severance || (is_excused && !core_is_expected(status));
}

void reports_end(
	struct service *service, uint32_t place, const struct ending *ending, uint64_t now_ns)
{
	struct score *score = service->score;
	struct ledger_entry *entry = ledger_at(&service->acceptor->ledger, place);
	if (!entry->is_counted)
		score_add(score->served, 1);
	if (entry->severance && entry->severance != SEVERANCE_ORDER)
		score_add(score->lapsed, 1);
	if (entry->pid && ending->status && !is_our_doing(service, entry, ending->status)) {
		score_add(score->failed, 1);
		note_failure(service, SCORE_FAILURE_STATUS, entry, ending->status,
			ending->duration_us, now_ns);
		if (entry->pid != entry->worker) /* else it is what a worker says that lives on */
			casualties_add(service, entry, ending, now_ns);
	} else if (entry->pid) {
		score_set(score->failures_in_row, 0);
	}
	following_say_end(service, entry, ending, now_ns);
	reports_drop(service, place, now_ns);
}

static void exec_failed(struct service *service, uint32_t place, int32_t error, uint64_t now_ns)
{
	struct ledger_entry *entry = ledger_at(&service->acceptor->ledger, place);
	if (!entry->is_counted)
		score_add(service->score->lost, 1);
	score_add(service->score->exec_failed, 1);
	note_failure(service, SCORE_FAILURE_EXEC, entry, error, 0, now_ns);
	service_log_episode(service, EPISODE_EXEC_FAILED, entry, error, now_ns);
	reports_drop(service, place, now_ns);
}

void reports_excuse(struct service *service, pid_t worker, uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	if (!service_has_queue(service))
		return;
	/* What it has reported meanwhile may be the end that it is excused for. */
	service->traffic->worker_ending = worker;
	reports_drain(service, REPORTS_AT_ONCE, now_ns);
	service->traffic->worker_ending = 0;
	uint32_t place = service->traffic->account.oldest;
	for (; place; place = ledger_at(ledger, place)->newer)
		if (ledger_at(ledger, place)->worker == worker)
			ledger_at(ledger, place)->is_excused = true;
}

uint32_t reports_adopt(struct service *service, const struct report *report, uint64_t now_ns)
{
	struct admission *admission = &service->admission;
	struct ledger *ledger = &service->acceptor->ledger;
	if (!traffic_take(service) || !service->traffic->adoptable)
		return LEDGER_NOWHERE;
	struct ledger_entry like = {
		.id = report->connection,
		.accepted_ns = report->accepted_ns < now_ns ? report->accepted_ns : now_ns,
		.peer = report->peer,
		.local = report->local,
		.service = service->number,
		.source = admission_source(admission, &report->peer, now_ns),
	};
	bool is_known = unknowns_identify(service, false);
	like.is_counted = !is_known;
	uint32_t place = following_add(service, &like, now_ns);
	if (!place)
		return LEDGER_NOWHERE;
	service->traffic->adoptable--;
	admission_adopt(admission, like.source);
	ledger_set_state(ledger, &service->traffic->account, place, LEDGER_TAKEN);
	if (is_known)
		unknowns_await(service, now_ns);
	return place;
}

/* The supervisor replaces it. */
static void tell_worn(struct service *service, int worker)
{
	struct control_process message = {
		.kind = CONTROL_WORKER_WORN,
		.service = service->number,
		.pid = worker,
	};
	acceptor_tell_supervisor(service->acceptor, &message, sizeof message);
}

static void set_taken(struct service *service, uint32_t place, int worker, bool is_over)
{
	struct ledger *ledger = &service->acceptor->ledger;
	struct ledger_entry *entry = ledger_at(ledger, place);
	bool is_first = !entry->worker;
	entry->worker = worker;
	if (service->settings->told.max_uses && is_first && uses_count(&service->traffic->uses, worker, service->settings->told.max_uses))
		tell_worn(service, worker);
	if (entry->state == LEDGER_WAITING)
		ledger_set_state(ledger, &service->traffic->account, place, LEDGER_TAKEN);
	copies_reported(service, place, !is_over);
}

void reports_found_started(struct service *service, uint32_t place, pid_t pid)
{
	struct ledger *ledger = &service->acceptor->ledger;
	copies_drop(service, place);
	ledger_set_state(ledger, &service->traffic->account, place, LEDGER_STARTED);
	ledger_set_pid(ledger, place, pid);
	service_log_start(service, ledger_at(ledger, place));
}

static void set_started(
	struct service *service, uint32_t place, const struct report *report, int worker)
{
	struct ledger *ledger = &service->acceptor->ledger;
	struct ledger_entry *entry = ledger_at(ledger, place);
	bool is_known = entry->state == LEDGER_STARTED;
	set_taken(service, place, worker, false);
	if (is_known)
		return;
	ledger_set_state(ledger, &service->traffic->account, place, LEDGER_STARTED);
	ledger_set_pid(ledger, place, report->pid);
	/* One that is told again was logged by the acceptor before us. */
	if (!report->duration_us)
		service_log_start(service, entry);
}

static void set_ended(
	struct service *service, uint32_t place, const struct report *report, int worker,
	uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	/* One that says nothing else has had it all the same. */
	if (!ledger_at(ledger, place)->worker)
		set_taken(service, place, worker, true);
	if (report->pid && !ledger_at(ledger, place)->pid)
		ledger_set_pid(ledger, place, report->pid);
	struct ending ending = {
		.duration_us = report->duration_us,
		.cpu_us = report->cpu_us,
		.max_rss_kib = report->max_rss_kib,
		.status = report->status,
		.has_bytes = report->bytes_in || report->bytes_out,
		.bytes_in = report->bytes_in,
		.bytes_out = report->bytes_out,
	};
	reports_end(service, place, &ending, now_ns);
}

/* False: it makes no sense. */
static bool apply(struct service *service, const struct report *report, int worker, uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	if (report->kind < REPORT_TAKEN || report->pid < 0)
		return false;
	if (report->kind == REPORT_SLOTS && report->status >= 0)
		vacancies_note(service, worker, report->status, now_ns);
	/* Later kinds are none of our business. */
	if (report->kind > REPORT_EXEC_FAILED)
		return true;
	uint32_t place = ledger_find(ledger, service->number, report->connection);
	bool is_adopted = !place;
	if (!place)
		place = reports_adopt(service, report, now_ns);
	copies_settled(service, report->connection);
	/* Nobody can know of a connection that we have not handed off. */
	if (!place || ledger_at(ledger, place)->state == LEDGER_HELD)
		return false;
	switch (report->kind) {
	case REPORT_TAKEN:
		set_taken(service, place, worker, false);
		break;
	case REPORT_STARTED:
		set_started(service, place, report, worker);
		if (is_adopted)
			losses_look_after(service, place);
		break;
	case REPORT_ENDED:
		set_ended(service, place, report, worker, now_ns);
		break;
	case REPORT_EXEC_FAILED:
		exec_failed(service, place, report->status, now_ns);
		break;
	}
	return true;
}

static void say_odd(struct service *service, int worker)
{
	if (!service->has_odd_reports)
		log_warning("%s: process %d sent a report that makes no sense; such reports are "
			    "ignored",
			service_name(service), worker);
	service->has_odd_reports = true;
}

/* An empty message looks like the end of the queue; the end also hangs up. */
static bool is_hung_up(int queue)
{
	struct pollfd polled = { .fd = queue };
	return poll(&polled, 1, 0) == 1 && polled.revents & (POLLHUP | POLLERR);
}

/* A supervisor that ends closes queue and control channel at once, and then there is no news. */
static void become_deaf(struct service *service, uint64_t now_ns)
{
	ev_io_stop(service->acceptor->loop, &service->traffic->queue_io);
	service->traffic->deaf_ns = now_ns + deaf_patience_ns;
}

void reports_say_deaf(struct service *service)
{
	service->traffic->deaf_ns = NEVER_NS;
	log_error("%s: the other end of the queue is closed: its connections can no longer be "
		  "followed; restart the service",
		service_name(service));
}

bool reports_drain(struct service *service, int n_messages_max, uint64_t now_ns)
{
	for (int i = 0; i < n_messages_max && service_has_queue(service); i++) {
		struct report reports[REPORTS_PER_MESSAGE];
		int worker = 0;
		int n = report_receive(service->traffic->queue_io.fd, reports, &worker);
		if (n == -EAGAIN)
			return true;
		if (n < 0 && (n != -EPIPE || is_hung_up(service->traffic->queue_io.fd))) {
			become_deaf(service, now_ns);
			return true;
		}
		if (n <= 0 || worker <= 0) {
			say_odd(service, worker);
			continue;
		}
		service->has_reports = true;
		service->is_silent = false;
		for (int k = 0; k < n; k++)
			if (!apply(service, &reports[k], worker, now_ns))
				say_odd(service, worker);
	}
	return !service_has_queue(service);
}

void reports_on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	struct service *service = io->data;
	following_catch_up(service->acceptor);
	uint64_t now_ns = clock_now_ns();
	reports_drain(service, DRAIN_BATCH, now_ns);
	delivery_retry(service, true, now_ns);
	service_settle(service, now_ns);
}
