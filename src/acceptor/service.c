#include "acceptor/service.h"

#include <errno.h>
#include <stddef.h>
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
#include "acceptor/unknowns.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

/* Of the thousand services at rest that an acceptor may have: what only clients need is traffic.h. */
_Static_assert(sizeof(void *) > 8 || sizeof(struct service) <= 160, "a service at rest stays small");

/* When the supervisor could not make a queue. */
static const uint64_t ask_again_ns = 100000000;

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

/*
 * Takes both; -1: there is none yet. All that ever happens to it happens with a queue. 0 or -ENOMEM.
 */
static int open_queue(struct service *service, int queue_given, int slots_given)
{
	fd_auto int queue_fd = queue_given, slots_fd = slots_given;
	if (queue_fd < 0 && slots_fd < 0)
		return 0;
	if (!traffic_take(service))
		return -ENOMEM;
	if (queue_fd >= 0) {
		take_row(service);
		ev_io_set(&service->traffic->queue_io, fd_take(&queue_fd), EV_READ);
		ev_io_start(service->acceptor->loop, &service->traffic->queue_io);
	}
	copies_open(service, fd_take(&slots_fd));
	return 0;
}

void service_settle_estate(struct service *service, bool is_complete, bool is_late, uint64_t now_ns)
{
	if (service_is_at_rest(service))
		return;
	redelivery_take_over(service, now_ns);
	uint32_t n_lost = unknowns_settle_estate(service, is_complete, now_ns);
	uint32_t n = service->traffic->account.n + service->admission.unknown;
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
		.is_uncounted = true,
	};
	traces_begin(service->acceptor->guard.traces, connection, &trace);
}

/* Nothing was ever said of it, or all has been. */
static void release(struct service *service)
{
	traffic_end(service);
	admission_fini(&service->admission);
	free(service->access);
	settings_release(service->settings);
	free(service);
}

struct service *service_open(struct acceptor *acceptor, const struct control_service *settings,
	int queue_given, int slots_given)
{
	fd_auto int queue_fd = queue_given, slots_fd = slots_given;
	struct service *service = calloc(1, offsetof(struct service, name) + strlen(settings->name) + 1);
	if (!service)
		return NULL;
	uint64_t now_ns = clock_now_ns();
	service->acceptor = acceptor;
	strcpy(service->name, settings->name);
	service->number = settings->service;
	service->estate_name = estate_name(service->name);
	service->opened_ns = now_ns;
	service->score = &acceptor->at_rest;
	service->unknown_ns = NEVER_NS;
	traffic_init(service);
	bool has_row = scoreboard_has_row(acceptor->board, service->number);
	if (has_row)
		take_row(service);
	admission_init(&service->admission, acceptor->seed ^ settings->service);
	if ((has_row && !traffic_take(service)) || apply(service, settings, now_ns) < 0 ||
		open_queue(service, fd_take(&queue_fd), fd_take(&slots_fd)) < 0) {
		release(service);
		return NULL;
	}
	service->awaits_access = settings->awaits_access;
	unknowns_take_over(service, now_ns);
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

int service_give_queue(struct service *service, int fd, int slots_fd)
{
	uint64_t now_ns = clock_now_ns();
	int r = open_queue(service, fd, slots_fd);
	if (r < 0)
		return r;
	service->traffic->ask_ns = NEVER_NS;
	delivery_retry(service, true, now_ns);
	service_settle(service, now_ns);
	return 0;
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
	uint32_t n_unserved = unknowns_close(service), n_served = 0;
	while (service->traffic->account.oldest) {
		const struct ledger_entry *entry = ledger_at(ledger, service->traffic->account.oldest);
		/* One without a worker left the queue, and that is all that we were told of it. */
		bool is_served = entry->state == LEDGER_STARTED ||
				 (entry->state == LEDGER_TAKEN && !entry->worker);
		n_unserved += !is_served && !entry->is_counted;
		n_served += is_served && !entry->is_counted;
		copies_drop(service, service->traffic->account.oldest);
		ledger_remove(ledger, &service->traffic->account, service->traffic->account.oldest);
	}
	score_add(service->score->served, n_served);
	if (n_unserved) {
		score_add(service->score->lost, n_unserved);
		log_warning("%s: closed while %u connections waited for a worker; they were never "
			    "served",
			service_name(service), n_unserved);
	}
}

static void withdraw(struct service *service)
{
	scoring_publish(service, clock_now_ns());
	following_forget(service);
	service_log_refused_rest(service, NEVER_NS);
	release(service);
}

void service_close(struct service *service)
{
	accepting_remove_all(service);
	entrance_remove_all(service);
	delivery_finish(service, false, clock_now_ns());
	following_drain(service->acceptor);
	losses_drop_unfollowed(service, clock_now_ns());
	forget_all(service);
	withdraw(service);
}

void service_abandon(struct service *service)
{
	accepting_remove_all(service);
	entrance_remove_all(service);
	delivery_finish(service, true, clock_now_ns());
	withdraw(service);
}

void service_pause(struct service *service, bool is_paused)
{
	service->is_paused_by_admin = is_paused;
	service_settle(service, clock_now_ns());
}

/*
 * May one more be accepted? Bits of enum score_pause, 0: yes. *ret_open_ns: when it opens by itself.
 */
static uint32_t gate(struct service *service, uint64_t now_ns, uint64_t *ret_open_ns)
{
	uint32_t paused = admission_gate(&service->admission, now_ns, ret_open_ns);
	/* Workers that have not said a word would keep it closed; what they took is theirs. */
	if ((paused & SCORE_PAUSED_FULL) && losses_drop_unfollowed(service, now_ns))
		paused = admission_gate(&service->admission, now_ns, ret_open_ns);
	if (service->traffic->in_hand.fd >= 0)
		paused |= SCORE_PAUSED_QUEUE;
	if (service->traffic->ask_ns != NEVER_NS)
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
	if (!traffic_take(service)) {
		acceptor_rest(service->acceptor, ENOMEM);
		return;
	}
	service->traffic->ask_ns = now_ns + ask_again_ns;
	acceptor_tell_supervisor(service->acceptor, &message, sizeof message);
}

bool service_may_accept(struct service *service, uint64_t now_ns)
{
	uint64_t open_ns; /* service_settle looks */
	if (gate(service, now_ns, &open_ns))
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
	if (service->traffic->account.n || service->admission.unknown || service->traffic->in_hand.fd >= 0 ||
		service->first_held)
		return false;
	ev_io_stop(service->acceptor->loop, &service->traffic->queue_io);
	fd_close(&service->traffic->queue_io.fd);
	copies_close(service);
	traffic_end_if_over(service, clock_now_ns());
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
	uint64_t due_ns = service->traffic->retry_ns;
	earlier(&due_ns, service->traffic->open_ns);
	earlier(&due_ns, service->traffic->release_ns);
	earlier(&due_ns, service->unknown_ns);
	earlier(&due_ns, service->traffic->suspects_ns);
	earlier(&due_ns, service->traffic->silent_ns);
	earlier(&due_ns, service->traffic->peek_ns);
	earlier(&due_ns, service->traffic->look_ns);
	earlier(&due_ns, service->traffic->deaf_ns);
	earlier(&due_ns, service->traffic->ask_ns);
	earlier(&due_ns, service->traffic->copies_ns);
	earlier(&due_ns, service->traffic->casualties.due_ns);
	earlier(&due_ns, service->traffic->vacancies.due_ns);
	earlier(&due_ns, service_log_refused_ns(service));
	earlier(&due_ns, episodes_check_ns(&service->traffic->episodes));
	if (due_ns >= service->traffic->timer_ns)
		return;
	service->traffic->timer_ns = due_ns;
	struct ev_loop *loop = service->acceptor->loop;
	ev_timer *timer = &service->traffic->timer;
	ev_timer_stop(loop, timer);
	ev_timer_set(timer, due_ns > now_ns ? (double)(due_ns - now_ns) / 1e9 : 0, 0);
	ev_timer_start(loop, timer);
}

/* Nobody has come: only who may not come at all can have changed. */
static void settle_at_rest(struct service *service, uint64_t now_ns)
{
	uint64_t never_ns;
	set_paused(service, gate(service, now_ns, &never_ns), now_ns);
	scoring_publish(service, now_ns);
}

void service_settle(struct service *service, uint64_t now_ns)
{
	if (service_is_at_rest(service)) {
		settle_at_rest(service, now_ns);
		return;
	}
	if (service->may_release)
		held_release(service, now_ns);
	losses_expect_reports(service, now_ns);
	copies_expect_look(service, now_ns);
	set_paused(service, gate(service, now_ns, &service->traffic->open_ns), now_ns);
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
		episode_lasts(&service->traffic->episodes, EPISODE_MAX_CONNECTIONS, now_ns);
	if (service->paused & SCORE_PAUSED_QUEUE)
		episode_lasts(&service->traffic->episodes, EPISODE_QUEUE, now_ns);
	if (service->paused & SCORE_PAUSED_HELD)
		episode_lasts(&service->traffic->episodes, EPISODE_HELD, now_ns);
}

static void look_at_copies(struct service *service, uint64_t now_ns)
{
	copies_look(service, now_ns);
	redelivery_look(service, now_ns);
}

void service_on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	struct service *service = timer->data;
	uint64_t now_ns = clock_now_ns();
	service->traffic->timer_ns = NEVER_NS;
	delivery_retry(service, false, now_ns);
	if (service->traffic->release_ns <= now_ns)
		service->may_release = true;
	if (service->traffic->suspects_ns <= now_ns)
		losses_judge_suspects(service, now_ns);
	if (service->traffic->silent_ns <= now_ns)
		losses_judge_silence(service, now_ns);
	if (service->traffic->peek_ns <= now_ns)
		losses_peek(service, now_ns);
	if (service->traffic->copies_ns <= now_ns)
		look_at_copies(service, now_ns);
	if (service->traffic->casualties.due_ns <= now_ns)
		casualties_tell_rest(service);
	if (service->traffic->vacancies.due_ns <= now_ns)
		vacancies_tell(service);
	if (service->traffic->deaf_ns <= now_ns)
		reports_say_deaf(service);
	if (service->traffic->ask_ns <= now_ns)
		service_ask_queue(service, now_ns);
	if (service->unknown_ns <= now_ns)
		unknowns_judge(service, now_ns);
	prolong_episodes(service, now_ns);
	service_log_ended_episodes(service, now_ns);
	service_log_refused_rest(service, now_ns);
	service_settle(service, now_ns);
}
