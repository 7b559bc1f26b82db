#include "acceptor/redelivery.h"

#include "acceptor/acceptor.h"
#include "acceptor/copies.h"
#include "acceptor/delivery.h"
#include "acceptor/losses.h"
#include "acceptor/outliving.h"
#include "acceptor/reports.h"
#include "acceptor/service.h"
#include "acceptor/toll.h"
#include "acceptor/unknowns.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pid.h"
#include "net/untouched.h"

enum { LOOKS_MAX = 4, NOBODY = -1 };

static struct ledger_entry *entry_at(const struct service *service, uint32_t place)
{
	return ledger_at(&service->acceptor->ledger, place);
}

static void give_up(struct service *service, uint32_t place, pid_t worker, uint64_t now_ns)
{
	char peer[ENDPOINT_TEXT_SIZE];
	log_error("%s: the connection of %s (id=%016llx) was in the hands of %d workers as they died: it "
		  "is closed and goes to no other; the last was %d",
		service_name(service),
		endpoint_format_client(
			peer, &entry_at(service, place)->peer, service_log_address(service)),
		(unsigned long long)entry_at(service, place)->id, REDELIVERY_DEATHS_MAX, (int)worker);
	toll_given_up(service, entry_at(service, place));
	losses_lose(service, place, worker, now_ns);
}

/* False: something has happened to it meanwhile. */
static bool queue_again(struct service *service, uint32_t place, const struct slot_view *view)
{
	struct copies *copies = service->traffic->copies;
	struct copy *copy = copies_find(service, place);
	if (!slots_take_back(&copies->slots, copies_number(copies, copy), view, &copy->turn))
		return false;
	/* Whoever had it may have changed how it blocks: that travels with it. */
	fd_set_blocking(copy->fd);
	copy->is_due = true;
	copy->was_claimed = copy->is_orphaned = false;
	copies->n_due++;
	traces_set(service->acceptor->guard.traces, copy->fd, ESTATE_DUE);
	ledger_set_state(
		&service->acceptor->ledger, &service->traffic->account, place, LEDGER_HELD);
	return true;
}

static bool redeliver(struct service *service, uint32_t place, const struct slot_view *view)
{
	if (!queue_again(service, place, view))
		return false;
	score_add(service->score->redelivered, 1);
	toll_redelivered(service);
	return true;
}

bool redelivery_send_again(struct service *service, uint32_t place)
{
	const struct copies *copies = service->traffic->copies;
	struct slot_view view = slots_look(&copies->slots, copies_number(copies, copies_find(service, place)));
	return view.state == SLOT_QUEUED && queue_again(service, place, &view);
}

/* It had claimed this one, and had not begun. False: look again. */
static bool died_with(struct service *service, uint32_t place, const struct slot_view *view,
	uint64_t now_ns)
{
	struct copy *copy = copies_find(service, place);
	bool may_be_touched = service->may_be_silent && !connection_is_untouched(copy->fd);
	if (copy->fd < 0 || !service->redelivers || may_be_touched) {
		losses_lose(service, place, view->pid, now_ns);
		return true;
	}
	if (copy->n_deaths + 1 >= REDELIVERY_DEATHS_MAX) {
		give_up(service, place, view->pid, now_ns);
		return true;
	}
	if (!redeliver(service, place, view))
		return false;
	copy->n_deaths++;
	traces_set_workers(service->acceptor->guard.traces, copy->fd, copy->n_deaths);
	return true;
}

/* Nobody will report of it: its worker is dead. */
static void find_started(struct service *service, uint32_t place, pid_t pid)
{
	reports_found_started(service, place, pid);
	outliving_watch(service->acceptor, pid);
}

static void judge_begun(struct service *service, uint32_t place, pid_t pid, pid_t worker, uint64_t now_ns)
{
	const struct ending ending = {
		.duration_us = (now_ns - entry_at(service, place)->accepted_ns) / 1000,
	};
	if (pid == worker)
		losses_lose(service, place, worker, now_ns);
	else if (pid == 0) /* with a program of somebody else's, which tells us nothing */
		reports_end(service, place, &ending, now_ns);
	else
		find_started(service, place, pid);
}

/* True when that is all that can be said of it. */
static bool judge(struct service *service, uint32_t place, pid_t worker, uint64_t now_ns)
{
	struct copies *copies = service->traffic->copies;
	const struct copy *copy = copies_find(service, place);
	struct slot_view view = slots_look(&copies->slots, copies_number(copies, copy));
	if (view.turn != copy->turn)
		return true; /* somebody writes nonsense there */
	switch (view.state) {
	case SLOT_QUEUED:
		return copy->fd < 0 || redeliver(service, place, &view);
	case SLOT_CLAIMED:
		return view.pid != worker || died_with(service, place, &view, now_ns);
	case SLOT_BEGUN:
		judge_begun(service, place, view.pid, worker, now_ns);
		return true;
	case SLOT_FREE:
		break;
	}
	return true;
}

static void lose_unknown(struct service *service, uint64_t id, pid_t worker)
{
	if (unknowns_identify(service, false))
		score_add(service->score->lost, 1);
	toll_lost(service);
	log_warning("%s: LOST id=%016llx: worker %d died holding it, and the acceptor that had handed it "
		    "off died before",
		service_name(service), (unsigned long long)id, (int)worker);
}

static void lose_one_inherited(struct service *service, uint32_t number, pid_t worker, uint64_t now_ns)
{
	struct copies *copies = service->traffic->copies;
	uint64_t id = slots_connection(&copies->slots, number);
	uint32_t place = ledger_find(&service->acceptor->ledger, service->number, id);
	copies_disinherit(copies, number);
	if (place)
		losses_lose(service, place, worker, now_ns);
	else
		lose_unknown(service, id, worker);
}

/* An acceptor before us had its copy, which may still come to us. */
static void judge_inherited(struct service *service, pid_t worker, uint64_t now_ns)
{
	struct copies *copies = service->traffic->copies;
	for (uint32_t number = 1; copies->n_inherited && number < copies->n_known; number++) {
		struct slot_view view = slots_look(&copies->slots, number);
		if (!copies->items[number].is_inherited || view.state != SLOT_CLAIMED || view.pid != worker)
			continue;
		if (heir_is_waiting(&service->acceptor->heir))
			copies->items[number].is_orphaned = true;
		else
			lose_one_inherited(service, number, worker, now_ns);
	}
}

/* It may be anywhere in the list, where an acceptor before us had other connections in the queue. */
static bool is_in_hands_of(const struct service *service, uint32_t place, pid_t worker)
{
	const struct copies *copies = service->traffic->copies;
	const struct copy *copy = copies_find(service, place);
	if (!copy)
		return false;
	struct slot_view view = slots_look(&copies->slots, copies_number(copies, copy));
	return view.state >= SLOT_CLAIMED && view.pid == worker;
}

/* It may change while we look: not often, unless somebody plays with us. */
static void judge_for_certain(struct service *service, uint32_t place, pid_t worker, uint64_t now_ns)
{
	bool is_open = entry_at(service, place)->copy != 0;
	for (int i = 0; is_open && i < LOOKS_MAX; i++)
		is_open = !judge(service, place, worker, now_ns);
}

void redelivery_worker_gone(struct service *service, pid_t worker, uint64_t now_ns)
{
	uint32_t n_out = losses_n_out_of_queue(service);
	uint32_t n_due_before = service->traffic->copies->n_due;
	/* Those that have left the queue head the list. */
	for (uint32_t place = service->traffic->account.first_waiting; place;) {
		uint32_t behind = entry_at(service, place)->behind;
		if (n_out || is_in_hands_of(service, place, worker))
			judge_for_certain(service, place, worker, now_ns);
		n_out -= n_out > 0;
		place = behind;
	}
	judge_inherited(service, worker, now_ns);
	if (service->traffic->copies->n_due > n_due_before)
		log_notice("%s: %u connections that worker %d had not touched when it died go to another",
			service_name(service), service->traffic->copies->n_due - n_due_before, (int)worker);
	delivery_retry(service, true, now_ns);
}

/* The process that has claimed it, if that is dead; 0: nobody has, or who has lives. */
static pid_t dead_holder(struct service *service, uint32_t number)
{
	const struct copies *copies = service->traffic->copies;
	struct slot_view view = slots_look(&copies->slots, number);
	bool is_dead = copies->items[number].is_orphaned || pid_is_gone(view.pid);
	return view.state == SLOT_CLAIMED && is_dead ? view.pid : 0;
}

/* Nobody comes with it any more, and no copy has come. */
static void lose_orphans(struct service *service, uint64_t now_ns)
{
	const struct copies *copies = service->traffic->copies;
	for (uint32_t number = 1; copies->n_inherited && number < copies->n_known; number++) {
		pid_t worker = copies->items[number].is_inherited ? dead_holder(service, number) : 0;
		if (worker)
			lose_one_inherited(service, number, worker, now_ns);
	}
}

void redelivery_take_over(struct service *service, uint64_t now_ns)
{
	uint32_t n_out = losses_n_out_of_queue(service);
	for (uint32_t place = service->traffic->account.first_waiting; place;) {
		uint32_t behind = entry_at(service, place)->behind;
		const struct copy *copy = copies_find(service, place);
		uint32_t number = copy ? copies_number(service->traffic->copies, copy) : 0;
		pid_t worker = copy ? dead_holder(service, number) : 0;
		if (worker)
			judge_for_certain(service, place, worker, now_ns);
		else if (n_out && copy && copy->fd >= 0)
			/* Whoever has received it, and lives, leaves it to the next one. */
			redelivery_send_again(service, place);
		n_out -= n_out > 0;
		place = behind;
	}
	lose_orphans(service, now_ns);
}

/* True if it is as it cannot be for long, unless nobody is left who could tell. */
static bool is_stuck(struct service *service, const struct slot_view *view, bool is_out)
{
	switch (view->state) {
	case SLOT_QUEUED:
		return is_out;
	case SLOT_CLAIMED:
		return pid_is_gone(view->pid);
	case SLOT_BEGUN:
		return !service->may_be_silent;
	case SLOT_FREE:
		break;
	}
	return false;
}

static void release(struct service *service, uint32_t place, const struct slot_view *view, uint64_t now_ns)
{
	if (view->state == SLOT_QUEUED)
		(void)redeliver(service, place, view);
	else
		judge_for_certain(service, place, view->state == SLOT_CLAIMED ? view->pid : NOBODY, now_ns);
}

void redelivery_look(struct service *service, uint64_t now_ns)
{
	struct copies *copies = service->traffic->copies;
	uint32_t n_out = losses_n_out_of_queue(service);
	for (uint32_t place = service->traffic->account.first_waiting; copies->n_kept && place;) {
		uint32_t behind = entry_at(service, place)->behind;
		struct copy *copy = copies_find(service, place);
		if (copy && copy->fd >= 0) {
			struct slot_view view = slots_look(&copies->slots, copies_number(copies, copy));
			bool was_stuck = copy->was_stuck;
			copy->was_stuck = is_stuck(service, &view, n_out > 0);
			if (copy->was_stuck && was_stuck)
				release(service, place, &view, now_ns);
		}
		n_out -= n_out > 0;
		place = behind;
	}
	delivery_retry(service, true, now_ns);
}
