#include "acceptor/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "acceptor/accepting.h"
#include "acceptor/acceptor.h"
#include "acceptor/delivery.h"
#include "acceptor/entrance.h"
#include "acceptor/following.h"
#include "acceptor/held.h"
#include "acceptor/losses.h"
#include "acceptor/redelivery.h"
#include "acceptor/reports.h"
#include "acceptor/scoring.h"
#include "acceptor/service_log.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

/*
 * How many connections a worker may tell us of that nobody has announced. A few are unavoidable: a
 * predecessor may have died between the hand-off and the scoreboard.
 */
enum { ADOPTABLE = 1024 };

/* When the supervisor could not make a queue. */
static const uint64_t ask_again_ns = 100000000;

/* After a takeover, and after the last news: the kernel is asked then, if it can be. */
static const uint64_t unknown_patience_ns = UINT64_C(5000000000), write_off_ns = UINT64_C(60000000000);

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents);

static int apply(struct service *service, const struct control_service *told, uint64_t now_ns)
{
	struct settings *before = service->settings;
	struct settings *settings = settings_get(&service->acceptor->settings, told);
	int r = settings ? admission_set_limits(&service->admission, &settings->limits, now_ns) : -ENOMEM;
	if (r < 0) {
		settings_release(settings);
		return r;
	}
	service->settings = settings;
	settings_release(before);
	service->may_be_silent = told->may_be_silent;
	service->redelivers = told->redelivers;
	service->may_release = service->first_held != NULL;
	lapse_on_limits(service);
	return 0;
}

/* From now on there may be something to be said of it. */
static void take_row(struct service *service)
{
	service->score = scoreboard_take_row(service->acceptor->board, service->number);
}

/* Takes both; -1: there is none yet. All that ever happens to it happens with a queue. */
static void open_queue(struct service *service, int queue_fd, int slots_fd)
{
	if (queue_fd >= 0) {
		take_row(service);
		ev_io_set(&service->queue_io, queue_fd, EV_READ);
		ev_io_start(service->acceptor->loop, &service->queue_io);
	}
	copies_open(service, slots_fd);
}

/* The row tells what an acceptor that died had. What it held is handed to us (heir.h). */
static void take_over(struct service *service, uint64_t now_ns)
{
	struct score *score = service->score;
	uint32_t live = score_get(score->live), held = score_get(score->held);
	uint32_t unknown = live > held ? live - held : 0;
	service->adoptable = ADOPTABLE + unknown;
	if (!live)
		return;
	service->n_missing = held;
	admission_set_unknown(&service->admission, unknown);
	service->unknown_ns = now_ns + unknown_patience_ns;
	following_check(service->acceptor);
}

void service_settle_estate(struct service *service, bool is_late, uint64_t now_ns)
{
	redelivery_take_over(service, now_ns);
	uint32_t n_lost = service->n_missing;
	uint32_t n = service->account.n + service->admission.unknown;
	service->n_missing = 0;
	if (n_lost)
		score_add(service->score->lost, n_lost);
	if (n_lost || (n && !is_late))
		log_notice("%s: taken over from an acceptor that died: %u connections live on, %u were lost",
			service_name(service), n, n_lost);
	delivery_retry(service, true, now_ns);
	service_settle(service, now_ns);
}

void service_trace(struct service *service, int connection, const struct ledger_entry *entry,
	enum estate_state state)
{
	const struct trace trace = {
		.id = entry->id,
		.accepted_ns = entry->accepted_ns,
		.service = (uint16_t)service->number,
		.name = service->estate_name,
		.state = (uint8_t)state,
	};
	traces_begin(service->acceptor->guard.traces, connection, &trace);
}

struct service *service_open(struct acceptor *acceptor, const struct control_service *settings,
	int queue_given, int slots_given)
{
	fd_auto int queue_fd = queue_given, slots_fd = slots_given;
	struct service *service = calloc(1, sizeof *service + strlen(settings->name) + 1);
	if (!service)
		return NULL;
	uint64_t now_ns = clock_now_ns();
	service->acceptor = acceptor;
	strcpy(service->name, settings->name);
	service->number = settings->service;
	service->estate_name = estate_name(service->name);
	service->opened_ns = now_ns;
	service->score = &acceptor->at_rest;
	if (scoreboard_has_row(acceptor->board, service->number))
		take_row(service);
	service->in_hand.fd = -1;
	service->timer_ns = service->release_ns = service->retry_ns = service->open_ns = NEVER_NS;
	service->unknown_ns = service->suspects_ns = service->silent_ns = NEVER_NS;
	service->peek_ns = service->look_ns = NEVER_NS;
	service->deaf_ns = service->ask_ns = service->copies_ns = NEVER_NS;
	service->casualties.due_ns = NEVER_NS;
	copies_init(service);
	admission_init(&service->admission, acceptor->seed ^ settings->service);
	if (apply(service, settings, now_ns) < 0) {
		free(service);
		return NULL;
	}
	service->awaits_access = settings->awaits_access;
	take_over(service, now_ns);
	ev_init(&service->timer, on_timer);
	service->timer.data = service;
	ev_io_init(&service->queue_io, reports_on_readable, -1, EV_READ);
	service->queue_io.data = service;
	open_queue(service, fd_take(&queue_fd), fd_take(&slots_fd));
	service_settle(service, now_ns);
	return service;
}

void service_set_access(struct service *service, struct access *access)
{
	free(service->access);
	service->access = access;
	service->awaits_access = false;
	service_settle(service, clock_now_ns());
}

void service_give_queue(struct service *service, int fd, int slots_fd)
{
	uint64_t now_ns = clock_now_ns();
	service->ask_ns = NEVER_NS;
	open_queue(service, fd, slots_fd);
	delivery_retry(service, true, now_ns);
	service_settle(service, now_ns);
}

int service_change(struct service *service, const struct control_service *settings)
{
	uint64_t now_ns = clock_now_ns();
	int r = apply(service, settings, now_ns);
	service_settle(service, now_ns);
	return r;
}

static void forget_all(struct service *service)
{
	struct ledger *ledger = &service->acceptor->ledger;
	uint32_t n_unserved = 0, n_silent = 0;
	while (service->account.oldest) {
		const struct ledger_entry *entry = ledger_at(ledger, service->account.oldest);
		/* One without a worker left the queue, and that is all that we were told of it. */
		bool is_served = entry->state == LEDGER_STARTED ||
				 (entry->state == LEDGER_TAKEN && !entry->worker);
		n_unserved += !is_served;
		n_silent += entry->state == LEDGER_TAKEN && !entry->worker;
		copies_drop(service, service->account.oldest);
		ledger_remove(ledger, &service->account, service->account.oldest);
	}
	score_add(service->score->served, n_silent);
	if (n_unserved) {
		score_add(service->score->lost, n_unserved);
		log_warning("%s: closed while %u connections waited for a worker; they were never "
			    "served",
			service_name(service), n_unserved);
	}
}

static void release(struct service *service)
{
	scoring_publish(service, clock_now_ns());
	following_forget(service);
	service_log_refused_rest(service, NEVER_NS);
	ev_io_stop(service->acceptor->loop, &service->queue_io);
	ev_timer_stop(service->acceptor->loop, &service->timer);
	fd_close(&service->queue_io.fd);
	copies_close(service);
	admission_fini(&service->admission);
	episodes_fini(&service->episodes);
	uses_fini(&service->uses);
	free(service->access);
	settings_release(service->settings);
	free(service);
}

void service_close(struct service *service)
{
	accepting_remove_all(service);
	entrance_remove_all(service);
	delivery_finish(service, false, clock_now_ns());
	following_drain(service->acceptor);
	losses_drop_unfollowed(service, clock_now_ns());
	/* What an acceptor before us had is not the business of whoever starts the service again. */
	admission_set_unknown(&service->admission, 0);
	forget_all(service);
	release(service);
}

void service_abandon(struct service *service)
{
	accepting_remove_all(service);
	entrance_remove_all(service);
	delivery_finish(service, true, clock_now_ns());
	release(service);
}

void service_pause(struct service *service, bool is_paused)
{
	service->is_paused_by_admin = is_paused;
	service_settle(service, clock_now_ns());
}

/* May one more be accepted? Bits of enum score_pause, 0: yes. */
static uint32_t gate(struct service *service, uint64_t now_ns)
{
	uint32_t paused = admission_gate(&service->admission, now_ns, &service->open_ns);
	/* Workers that have not said a word would keep it closed; what they took is theirs. */
	if ((paused & SCORE_PAUSED_FULL) && losses_drop_unfollowed(service, now_ns))
		paused = admission_gate(&service->admission, now_ns, &service->open_ns);
	if (service->in_hand.fd >= 0)
		paused |= SCORE_PAUSED_QUEUE;
	if (service->ask_ns != NEVER_NS)
		paused = (paused & ~(uint32_t)SCORE_PAUSED_QUEUE) | SCORE_PAUSED_NO_QUEUE;
	if (service->acceptor->is_short)
		paused |= SCORE_PAUSED_DESCRIPTORS;
	if (service->awaits_access)
		paused |= SCORE_PAUSED_NO_ACCESS;
	if (service->is_paused_by_admin)
		paused |= SCORE_PAUSED_ADMIN;
	return paused;
}

/* Most services have no client on most days, and no queue. Its first one waits in the kernel. */
void service_ask_queue(struct service *service, uint64_t now_ns)
{
	struct control_number message = { CONTROL_NEED_QUEUE, service->number };
	service->ask_ns = now_ns + ask_again_ns;
	acceptor_tell_supervisor(service->acceptor, &message, sizeof message);
}

bool service_may_accept(struct service *service, uint64_t now_ns)
{
	if (gate(service, now_ns))
		return false;
	if (service_has_queue(service))
		return true;
	service_ask_queue(service, now_ns);
	return false;
}

bool service_give_queue_back(struct service *service)
{
	if (!service_has_queue(service))
		return false;
	reports_drain(service, REPORTS_AT_ONCE, clock_now_ns());
	if (service->account.n || service->admission.unknown || service->in_hand.fd >= 0 ||
		service->first_held)
		return false;
	ev_io_stop(service->acceptor->loop, &service->queue_io);
	fd_close(&service->queue_io.fd);
	copies_close(service);
	return true;
}

static void log_pauses(struct service *service, uint32_t begun, uint32_t over, uint64_t now_ns)
{
	if (begun & SCORE_PAUSED_FULL)
		service_log_episode(service, EPISODE_MAX_CONNECTIONS, NULL, 0, now_ns);
	if (begun & SCORE_PAUSED_QUEUE)
		service_log_episode(service, EPISODE_QUEUE, NULL, 0, now_ns);
	if (begun & SCORE_PAUSED_HELD)
		service_log_episode(service, EPISODE_HELD, NULL, 0, now_ns);
	/* The last token goes with any burst; it is news only if somebody had to wait. */
	if (over & SCORE_PAUSED_RATE && accepting_has_waiting(service))
		service_log_episode(service, EPISODE_RATE, NULL, 0, now_ns);
}

static void set_paused(struct service *service, uint32_t paused, uint64_t now_ns)
{
	uint32_t before = service->paused;
	if (paused == before)
		return;
	take_row(service);
	service->paused = paused;
	log_pauses(service, paused & ~before, before & ~paused, now_ns);
	if (!before) {
		accepting_stop(service);
		entrance_stop(service);
	} else if (!paused) {
		accepting_start(service);
		entrance_start(service);
	}
	if (!before || !paused)
		score_set(service->score->paused_ns, paused ? now_ns : 0);
	score_set(service->score->paused, paused);
}

static void earlier(uint64_t *due_ns, uint64_t time_ns)
{
	if (time_ns < *due_ns)
		*due_ns = time_ns;
}

/* A timer that comes too early finds nothing to do and is set again: cheaper than to move it. */
static void schedule(struct service *service, uint64_t now_ns)
{
	uint64_t due_ns = service->retry_ns;
	earlier(&due_ns, service->open_ns);
	earlier(&due_ns, service->release_ns);
	earlier(&due_ns, service->unknown_ns);
	earlier(&due_ns, service->suspects_ns);
	earlier(&due_ns, service->silent_ns);
	earlier(&due_ns, service->peek_ns);
	earlier(&due_ns, service->look_ns);
	earlier(&due_ns, service->deaf_ns);
	earlier(&due_ns, service->ask_ns);
	earlier(&due_ns, service->copies_ns);
	earlier(&due_ns, service->casualties.due_ns);
	earlier(&due_ns, service_log_refused_ns(service));
	earlier(&due_ns, episodes_check_ns(&service->episodes));
	if (due_ns >= service->timer_ns)
		return;
	service->timer_ns = due_ns;
	struct ev_loop *loop = service->acceptor->loop;
	ev_timer_stop(loop, &service->timer);
	ev_timer_set(&service->timer, due_ns > now_ns ? (double)(due_ns - now_ns) / 1e9 : 0, 0);
	ev_timer_start(loop, &service->timer);
}

void service_settle(struct service *service, uint64_t now_ns)
{
	if (service->may_release)
		held_release(service, now_ns);
	losses_expect_reports(service, now_ns);
	copies_expect_look(service, now_ns);
	set_paused(service, gate(service, now_ns), now_ns);
	losses_expect_taking(service, now_ns);
	service_log_fullness(service, now_ns);
	scoring_publish(service, now_ns);
	schedule(service, now_ns);
	lapse_expect(service, now_ns);
}

/* A pause that goes on keeps its episode alive. */
static void prolong_episodes(struct service *service, uint64_t now_ns)
{
	if (service->paused & SCORE_PAUSED_FULL)
		episode_lasts(&service->episodes, EPISODE_MAX_CONNECTIONS, now_ns);
	if (service->paused & SCORE_PAUSED_QUEUE)
		episode_lasts(&service->episodes, EPISODE_QUEUE, now_ns);
	if (service->paused & SCORE_PAUSED_HELD)
		episode_lasts(&service->episodes, EPISODE_HELD, now_ns);
}

static void look_at_copies(struct service *service, uint64_t now_ns)
{
	copies_look(service, now_ns);
	redelivery_look(service, now_ns);
}

static bool is_counted_by_kernel(const struct service *service)
{
	return service->acceptor->following && accepting_is_followed(service);
}

void service_await_unknown(struct service *service, uint64_t now_ns)
{
	service->unknown_ns =
		now_ns + (is_counted_by_kernel(service) ? unknown_patience_ns : write_off_ns);
}

/* Nobody has told us of them in time. */
static void seek_unknown(struct service *service, uint64_t now_ns)
{
	bool is_last = service->is_unknown_due || !is_counted_by_kernel(service);
	service->is_unknown_due = !is_last;
	service->unknown_ns = is_last ? NEVER_NS : now_ns + write_off_ns;
	if (is_last)
		admission_set_unknown(&service->admission, 0);
	else
		following_check(service->acceptor);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	struct service *service = timer->data;
	uint64_t now_ns = clock_now_ns();
	service->timer_ns = NEVER_NS;
	delivery_retry(service, false, now_ns);
	if (service->release_ns <= now_ns)
		service->may_release = true;
	if (service->suspects_ns <= now_ns)
		losses_judge_suspects(service, now_ns);
	if (service->silent_ns <= now_ns)
		losses_judge_silence(service, now_ns);
	if (service->peek_ns <= now_ns)
		losses_peek(service, now_ns);
	if (service->copies_ns <= now_ns)
		look_at_copies(service, now_ns);
	if (service->casualties.due_ns <= now_ns)
		casualties_tell_rest(service);
	if (service->deaf_ns <= now_ns)
		reports_say_deaf(service);
	if (service->ask_ns <= now_ns)
		service_ask_queue(service, now_ns);
	if (service->unknown_ns <= now_ns)
		seek_unknown(service, now_ns);
	prolong_episodes(service, now_ns);
	service_log_ended_episodes(service, now_ns);
	service_log_refused_rest(service, now_ns);
	service_settle(service, now_ns);
}
