#include "acceptor/copies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "acceptor/acceptor.h"
#include "acceptor/delivery.h"
#include "acceptor/losses.h"
#include "acceptor/reports.h"
#include "acceptor/service.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pid.h"

enum { ITEMS_MIN = 32 };

static const uint64_t sweep_pause_ns = 100000000;

/* So long a worker may take from receiving a connection to claiming it, stopped by whatever. */
static const uint64_t claim_patience_ns = UINT64_C(5000000000);

static struct ledger_entry *entry_at(const struct service *service, uint32_t place)
{
	return ledger_at(&service->acceptor->ledger, place);
}

struct copy *copies_find(const struct service *service, uint32_t place)
{
	uint16_t number = entry_at(service, place)->copy;
	return number ? &service->traffic->copies->items[number] : NULL;
}

uint32_t copies_number(const struct copies *copies, const struct copy *copy)
{
	return (uint32_t)(copy - copies->items);
}

static void close_fd(struct service *service, struct copy *copy)
{
	if (copy->fd < 0)
		return;
	fd_close(&copy->fd);
	service->traffic->copies->n_kept--;
	service->acceptor->n_copies--;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool grow(struct copies *copies)
{
	uint32_t room = copies->room ? copies->room * 2 : ITEMS_MIN;
	struct copy *items = realloc(copies->items, room * sizeof *items);
	if (!items)
		return false;
	copies->items = items;
	copies->room = room;
	return true;
}

static bool learn_number(struct copies *copies)
{
	if (copies->n_known == copies->room && !grow(copies))
		return false;
	copies->items[copies->n_known++] = (struct copy){ .fd = -1 };
	return true;
}

static void put_back(struct copies *copies, uint32_t number)
{
	slots_free(&copies->slots, number);
	copies->items[number] = (struct copy){ .fd = -1, .next = copies->unused };
	copies->unused = number;
}

void copies_disinherit(struct copies *copies, uint32_t number)
{
	copies->n_inherited--;
	put_back(copies, number);
}

/* What an acceptor before us gave out is free when nobody can come with it any more. */
static void sweep(struct service *service, uint64_t now_ns)
{
	struct copies *copies = service->traffic->copies;
	if (!copies->n_inherited || now_ns - copies->swept_ns < sweep_pause_ns)
		return;
	copies->swept_ns = now_ns;
	bool is_emptied = losses_n_inherited(service) == 0 &&
			  now_ns - service->opened_ns > claim_patience_ns;
	for (uint32_t number = 1; number < copies->n_known; number++) {
		if (!copies->items[number].is_inherited)
			continue;
		struct slot_view view = slots_look(&copies->slots, number);
		if ((view.state == SLOT_QUEUED && !is_emptied) ||
			(view.state == SLOT_CLAIMED && !pid_is_gone(view.pid)))
			continue;
		copies_disinherit(copies, number);
	}
}

/* 0: there is none. */
static uint32_t take_number(struct service *service, uint64_t now_ns)
{
	struct copies *copies = service->traffic->copies;
	if (!copies->unused && copies->n_known >= copies->slots.n)
		sweep(service, now_ns);
	uint32_t number = copies->unused;
	if (number) {
		copies->unused = copies->items[number].next;
		return number;
	}
	if (copies->n_known >= copies->slots.n || !learn_number(copies))
		return 0;
	return copies->n_known - 1;
}

/* Numbers are first used in their order: the first that never was ends what there is to inherit. */
static void inherit(struct copies *copies)
{
	while (copies->n_known < copies->slots.n) {
		struct slot_view view = slots_look(&copies->slots, copies->n_known);
		if (!view.word || !learn_number(copies))
			return;
		uint32_t number = copies->n_known - 1;
		if (view.state == SLOT_FREE || view.state == SLOT_BEGUN) {
			put_back(copies, number);
		} else {
			copies->items[number].is_inherited = true;
			copies->n_inherited++;
		}
	}
}

const struct copies copies_none;

static void destroy(struct copies *copies)
{
	slots_unmap(&copies->slots);
	free(copies->items);
	free(copies);
}

static int create(int slots_fd, struct copies **ret_copies)
{
	struct copies *copies = calloc(1, sizeof *copies);
	if (!copies)
		return -ENOMEM;
	int r = slots_map(slots_fd, &copies->slots);
	if (r == 0 && !learn_number(copies)) /* 0 is nobody's */
		r = -ENOMEM;
	if (r < 0)
		destroy(copies);
	else
		*ret_copies = copies;
	return r;
}

void copies_open(struct service *service, int slots_fd)
{
	struct copies *copies;
	if (slots_fd < 0)
		return;
	int r = create(slots_fd, &copies);
	fd_close(&slots_fd);
	if (r < 0) {
		log_error("%s: no slots for its connections: %s; what a worker has when it dies is lost",
			service_name(service), strerror(-r));
		return;
	}
	inherit(copies);
	service->traffic->copies = copies;
	if (service->may_be_silent)
		return;
	/* Our own programs do both. */
	copies->are_claimed = true;
	service->has_reports = true;
}

void copies_close(struct service *service)
{
	struct copies *copies = service->traffic->copies;
	for (uint32_t number = 1; number < copies->n_known; number++)
		close_fd(service, &copies->items[number]);
	if (copies != &copies_none)
		destroy(copies);
	service->traffic->copies = (struct copies *)&copies_none;
	service->traffic->copies_ns = NEVER_NS;
}

/* ---- handing off ----------------------------------------------------------------------------- */

void copies_offer(struct service *service, uint32_t place, struct handoff *record)
{
	struct copies *copies = service->traffic->copies;
	struct ledger_entry *entry = entry_at(service, place);
	if (!copies->slots.items)
		return;
	if (!entry->copy) {
		uint32_t number = take_number(service, entry->accepted_ns);
		if (!number)
			return;
		entry->copy = (uint16_t)number;
		copies->items[number] = (struct copy){
			.fd = -1,
			.place = place,
			.turn = slots_offer(&copies->slots, number, entry->id),
		};
		copies->n_used++;
	}
	record->slot = entry->copy;
	record->turn = copies->items[entry->copy].turn;
}

bool copies_withdraw(struct service *service, uint32_t place)
{
	struct copy *copy = copies_find(service, place);
	if (copy && copy->is_due)
		return false;
	copies_drop(service, place);
	return true;
}

bool copies_will_keep(const struct service *service, uint32_t place)
{
	const struct copies *copies = service->traffic->copies;
	const struct acceptor *acceptor = service->acceptor;
	const struct copy *copy = copies_find(service, place);
	return copy && service->redelivers && copies->are_claimed &&
	       (copy->fd >= 0 || acceptor->n_copies < acceptor->n_copies_max);
}

static void own(struct service *service, struct copy *copy, int *connection)
{
	traces_set(service->acceptor->guard.traces, *connection, ESTATE_SENT);
	copy->fd = fd_take(connection);
	service->traffic->copies->n_kept++;
	service->acceptor->n_copies++;
}

void copies_keep(struct service *service, uint32_t place, int *connection)
{
	if (copies_will_keep(service, place)) {
		own(service, copies_find(service, place), connection);
		return;
	}
	if (service->redelivers && service->traffic->copies->are_claimed)
		score_add(service->score->uncovered, 1);
	fd_close(connection);
}

int copies_next_due(const struct service *service, uint32_t *ret_place)
{
	const struct copies *copies = service->traffic->copies;
	for (uint32_t number = 1; copies->n_due && number < copies->n_known; number++) {
		if (!copies->items[number].is_due)
			continue;
		*ret_place = copies->items[number].place;
		return copies->items[number].fd;
	}
	return -1;
}

void copies_sent(struct service *service, uint32_t place)
{
	struct copy *copy = copies_find(service, place);
	copy->is_due = false;
	service->traffic->copies->n_due--;
	traces_set(service->acceptor->guard.traces, copy->fd, ESTATE_SENT);
}

/* ---- what an acceptor before us had ------------------------------------------------------------ */

bool copies_look_inherited(const struct service *service, uint32_t number, uint64_t connection,
	struct slot_view *ret_view)
{
	const struct copies *copies = service->traffic->copies;
	if (!number || number >= copies->n_known || !copies->items[number].is_inherited ||
		slots_connection(&copies->slots, number) != connection)
		return false;
	*ret_view = slots_look(&copies->slots, number);
	return true;
}

void copies_take_over(struct service *service, uint32_t number, uint32_t place, int *connection,
	const struct slot_view *view)
{
	struct copies *copies = service->traffic->copies;
	struct copy *copy = &copies->items[number];
	copies->n_inherited--;
	copies->n_used++;
	*copy = (struct copy){
		.fd = -1,
		.place = place,
		.turn = view->turn,
		.is_orphaned = copy->is_orphaned,
	};
	entry_at(service, place)->copy = (uint16_t)number;
	own(service, copy, connection);
	copies->are_claimed = true; /* else there would be no copy */
}

/* ---- what becomes of them -------------------------------------------------------------------- */

void copies_drop(struct service *service, uint32_t place)
{
	struct copies *copies = service->traffic->copies;
	struct copy *copy = copies_find(service, place);
	if (!copy)
		return;
	close_fd(service, copy);
	copies->n_due -= copy->is_due;
	copies->n_used--;
	entry_at(service, place)->copy = 0;
	put_back(copies, copies_number(copies, copy));
}

void copies_reported(struct service *service, uint32_t place, bool is_taken)
{
	struct copies *copies = service->traffic->copies;
	const struct copy *copy = copies_find(service, place);
	if (!copy)
		return;
	/* One that claims and never says that it begins would leave its clients waiting for their end. */
	if (service->may_be_silent)
		copies->are_claimed = is_taken && slots_look(&copies->slots,
							  copies_number(copies, copy))
								  .state >= SLOT_CLAIMED;
	copies_drop(service, place);
}

void copies_settled(struct service *service, uint64_t connection)
{
	struct copies *copies = service->traffic->copies;
	for (uint32_t number = 1; copies->n_inherited && number < copies->n_known; number++)
		if (copies->items[number].is_inherited &&
			slots_connection(&copies->slots, number) == connection)
			copies_disinherit(copies, number);
}

bool copies_covers(const struct service *service, uint32_t place)
{
	const struct copy *copy = copies_find(service, place);
	return copy && copy->fd >= 0;
}

/* ---- looking ---------------------------------------------------------------------------------- */

uint32_t copies_find_process(const struct service *service, pid_t pid)
{
	const struct copies *copies = service->traffic->copies;
	for (uint32_t number = 1; copies->n_used && number < copies->n_known; number++) {
		struct slot_view view = slots_look(&copies->slots, number);
		if (copies->items[number].place && view.state == SLOT_BEGUN && view.pid == pid)
			return copies->items[number].place;
	}
	return LEDGER_NOWHERE;
}

void copies_expect_look(struct service *service, uint64_t now_ns)
{
	if (service->traffic->copies->n_kept && service->traffic->copies_ns == NEVER_NS)
		service->traffic->copies_ns = now_ns + COPIES_LOOK_NS;
}

void copies_look(struct service *service, uint64_t now_ns)
{
	struct copies *copies = service->traffic->copies;
	service->traffic->copies_ns = NEVER_NS;
	bool is_ended_here = service->may_be_silent; /* our own programs have no such errors */
	for (uint32_t number = 1; is_ended_here && copies->n_kept && number < copies->n_known; number++) {
		struct copy *copy = &copies->items[number];
		if (copy->fd < 0)
			continue;
		bool is_claimed = slots_look(&copies->slots, number).state >= SLOT_CLAIMED;
		if (is_claimed && copy->was_claimed)
			close_fd(service, copy);
		copy->was_claimed = is_claimed;
	}
	copies_expect_look(service, now_ns);
}
