#include "acceptor/redelivery.h"

#include "acceptor/acceptor.h"
#include "acceptor/copies.h"
#include "acceptor/delivery.h"
#include "acceptor/losses.h"
#include "acceptor/reports.h"
#include "acceptor/service.h"
#include "acceptor/toll.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/untouched.h"

enum { LOOKS_MAX = 4 };

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
	struct copies *copies = service->copies;
	struct copy *copy = copies_find(service, place);
	if (!slots_take_back(&copies->slots, copies_number(copies, copy), view, &copy->turn))
		return false;
	/* Whoever had it may have changed how it blocks: that travels with it. */
	fd_set_blocking(copy->fd);
	copy->is_due = true;
	copy->was_claimed = false;
	copies->n_due++;
	ledger_set_state(&service->acceptor->ledger, &service->account, place, LEDGER_HELD);
	score_add(service->score->redelivered, 1);
	toll_redelivered(service);
	return true;
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
	if (!queue_again(service, place, view))
		return false;
	copy->n_deaths++;
	return true;
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
		reports_found_started(service, place, pid);
}

/* True when that is all that can be said of it. */
static bool judge(struct service *service, uint32_t place, pid_t worker, uint64_t now_ns)
{
	struct copies *copies = service->copies;
	const struct copy *copy = copies_find(service, place);
	struct slot_view view = slots_look(&copies->slots, copies_number(copies, copy));
	if (view.turn != copy->turn)
		return true; /* somebody writes nonsense there */
	switch (view.state) {
	case SLOT_QUEUED:
		return copy->fd < 0 || queue_again(service, place, &view);
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
	score_add(service->score->lost, 1);
	toll_lost(service);
	log_warning("%s: LOST id=%016llx: worker %d died holding it, and the acceptor that had handed it "
		    "off died before",
		service_name(service), (unsigned long long)id, (int)worker);
	if (service->admission.unknown)
		admission_set_unknown(&service->admission, service->admission.unknown - 1);
}

/* Its copy died with an acceptor before us. */
static void lose_inherited(struct service *service, pid_t worker, uint64_t now_ns)
{
	struct copies *copies = service->copies;
	for (uint32_t number = 1; copies->n_inherited && number < copies->n_known; number++) {
		struct slot_view view = slots_look(&copies->slots, number);
		if (!copies->items[number].is_inherited || view.state != SLOT_CLAIMED || view.pid != worker)
			continue;
		uint64_t id = slots_connection(&copies->slots, number);
		uint32_t place = ledger_find(&service->acceptor->ledger, service->number, id);
		copies_disinherit(copies, number);
		if (place)
			losses_lose(service, place, worker, now_ns);
		else
			lose_unknown(service, id, worker);
	}
}

void redelivery_worker_gone(struct service *service, pid_t worker, uint64_t now_ns)
{
	uint32_t n_out = losses_n_out_of_queue(service);
	uint32_t n_due_before = service->copies->n_due;
	/* Those that have left the queue head the list. */
	for (uint32_t place = service->account.first_waiting; place && n_out; n_out--) {
		uint32_t behind = entry_at(service, place)->behind;
		/* It may change while we look: not often, unless somebody plays with us. */
		bool is_open = entry_at(service, place)->copy != 0;
		for (int i = 0; is_open && i < LOOKS_MAX; i++)
			is_open = !judge(service, place, worker, now_ns);
		place = behind;
	}
	lose_inherited(service, worker, now_ns);
	if (service->copies->n_due > n_due_before)
		log_notice("%s: %u connections that worker %d had not touched when it died go to another",
			service_name(service), service->copies->n_due - n_due_before, (int)worker);
	delivery_retry(service, true, now_ns);
}
