#include "acceptor/lookout.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include "acceptor/acceptor.h"
#include "acceptor/diag.h"
#include "acceptor/following.h"
#include "acceptor/inventory.h"
#include "acceptor/losses.h"
#include "acceptor/service.h"
#include "base/clock.h"

/* In one turn of the loop: so long a client who connects may wait, and it is a fifth of a millisecond. */
enum { STEP_PLACES = 4096, STEP_LOOK_UPS = 4 * DIAG_LOOK_UPS_MAX };

enum { FIRST_PERIOD_MS = 4, LAST_LIST = LOOKOUT_LISTS - 1 };

/* While the kernel tells: whether there is anything to tell of, and how many others it tells of. */
static const double LOOK_ROUND_S = 1;

static const uint64_t idle_patience_ns = 1500000000;

static struct lookout *lookout_of(struct following *following)
{
	return &following->lookout;
}

/* ---- the lists ------------------------------------------------------------------------------- */

static uint64_t period_ns(int list)
{
	return (uint64_t)FIRST_PERIOD_MS * 1000000 << list;
}

/* Without memory for it its worker's word is all there is, or the inventory's. */
static void push(struct following *following, int number, uint32_t place, uint64_t now_ns)
{
	const struct due_item item = {
		.id = ledger_at(&following->acceptor->ledger, place)->id,
		.due_ns = now_ns + period_ns(number),
		.place = place,
	};
	if (due_ring_push(&lookout_of(following)->lists[number], &item) < 0)
		inventory_want(following);
}

/* Who reports tells of its end by itself, and knows better: its client may have reset it before. */
static bool must_ask_for(const struct service *service)
{
	return service->may_be_silent && !service->has_reports;
}

/* The same entry as then, and nobody knows of its end or will tell. */
static bool is_open(struct following *following, const struct due_item *item)
{
	struct ledger *ledger = &following->acceptor->ledger;
	if (item->place >= ledger->capacity)
		return false;
	const struct ledger_entry *entry = ledger_at(ledger, item->place);
	return entry->is_used && entry->id == item->id && !entry->is_gone &&
	       must_ask_for(following->acceptor->services[entry->service]);
}

/* NULL: none is due. Once the kernel tells again, all are. */
static const struct due_item *due_first(const struct lookout *lookout, int number, uint64_t now_ns)
{
	const struct due_item *item = due_ring_first(&lookout->lists[number]);
	return item && (item->due_ns <= now_ns || !lookout->attention.is_asking) ? item : NULL;
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct round {
	struct diag_look_up look_ups[DIAG_LOOK_UPS_MAX];
	struct due_item items[DIAG_LOOK_UPS_MAX];
	uint8_t lists[DIAG_LOOK_UPS_MAX];
	unsigned n;
	const struct service *service; /* the last one of which this is known: */
	uint32_t n_out;                /* so many of its waiting list have left the queue */
};

static void gather(struct following *following, struct round *round, int number, uint64_t now_ns)
{
	struct lookout *lookout = lookout_of(following);
	const struct due_item *item;
	while (round->n < DIAG_LOOK_UPS_MAX && (item = due_first(lookout, number, now_ns))) {
		if (is_open(following, item)) {
			const struct ledger_entry *entry =
				ledger_at(&following->acceptor->ledger, item->place);
			round->look_ups[round->n] = (struct diag_look_up){
				.cookie = entry->id,
				.local = &entry->local,
				.peer = &entry->peer,
			};
			round->lists[round->n] = (uint8_t)number;
			round->items[round->n++] = *item;
		}
		due_ring_drop_first(&lookout->lists[number]);
	}
}

static bool is_one_of_first(
	const struct service *service, struct ledger *ledger, uint32_t place, uint32_t n)
{
	uint32_t first = service->traffic->account.first_waiting;
	for (; first && n; n--, first = ledger_at(ledger, first)->behind)
		if (first == place)
			return true;
	return false;
}

/*
 * What its client has reset is not found either, also while it is ours or in the queue, and a worker is
 * still to get it.
 */
static bool has_left_us(struct following *following, struct round *round, uint32_t place)
{
	struct ledger *ledger = &following->acceptor->ledger;
	const struct ledger_entry *entry = ledger_at(ledger, place);
	const struct service *service = following->acceptor->services[entry->service];
	if (entry->state != LEDGER_WAITING)
		return entry->state != LEDGER_HELD;
	if (round->service != service) {
		round->service = service;
		round->n_out = losses_n_out_of_queue(service);
	}
	if (!is_one_of_first(service, ledger, place, round->n_out))
		return false;
	round->n_out--; /* for it leaves the list */
	return true;
}

/* Whatever is wrong, it is asked for again. */
static void settle_round(struct following *following, struct round *round, int error, uint64_t now_ns)
{
	for (unsigned i = 0; i < round->n; i++) {
		const struct due_item *item = &round->items[i];
		int next = round->lists[i] < LAST_LIST ? round->lists[i] + 1 : LAST_LIST;
		if (!is_open(following, item))
			continue; /* the end of another was its end, too */
		bool is_over = error == 0 && !round->look_ups[i].lives;
		if (is_over && has_left_us(following, round, item->place))
			following_note_gone(following, item->place, NULL, now_ns);
		else if (lookout_of(following)->attention.is_asking || error < 0)
			push(following, next, item->place, now_ns);
	}
}

/* False: nobody is due any more. */
static bool ask_some(struct following *following, uint64_t now_ns)
{
	struct round round;
	round.n = 0;
	round.service = NULL;
	for (int number = 0; number < LOOKOUT_LISTS; number++)
		gather(following, &round, number, now_ns);
	int r = diag_look_up_some(following->query_fd, round.look_ups, round.n);
	settle_round(following, &round, r, now_ns);
	return round.n == DIAG_LOOK_UPS_MAX && r == 0;
}

/* ---- which way ------------------------------------------------------------------------------- */

/* False: the kernel refuses. */
static bool set_membership(const struct following *following, bool is_told)
{
	static const int groups[] = { SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY };
	int option = is_told ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP;
	bool is_set = true;
	for (unsigned i = 0; i < sizeof groups / sizeof *groups; i++)
		is_set &= setsockopt(following->notices.fd, SOL_NETLINK, option, &groups[i],
				  sizeof groups[i]) == 0;
	return is_set;
}

/* Those that were there before; false: there are more. */
static bool enter_some(struct following *following, uint64_t now_ns)
{
	struct lookout *lookout = lookout_of(following);
	struct acceptor *acceptor = following->acceptor;
	uint32_t end = lookout->place + STEP_PLACES;
	for (; lookout->place < end && lookout->place < acceptor->ledger.capacity; lookout->place++) {
		const struct ledger_entry *entry = ledger_at(&acceptor->ledger, lookout->place);
		if (entry->is_used && entry->is_followed && !entry->is_gone &&
			must_ask_for(acceptor->services[entry->service]))
			push(following, 0, lookout->place, now_ns);
	}
	return lookout->place >= acceptor->ledger.capacity;
}

static void begin_asking(struct following *following)
{
	struct lookout *lookout = lookout_of(following);
	for (int number = 0; number < LOOKOUT_LISTS; number++)
		due_ring_clear(&lookout->lists[number]);
	lookout->place = LEDGER_NOWHERE + 1;
}

/* For status -v. */
static void publish(const struct following *following)
{
	struct scoreboard_head *head = &following->acceptor->board->head;
	uint32_t parts = score_get(head->ledger_parts), asked = SCORE_LEDGER_ASKED;
	score_set(head->ledger_parts,
		following->lookout.attention.is_asking ? parts | asked : parts & ~asked);
}

/* The notices stop when all are entered that were there before. */
static void go_on_entering(struct following *following, uint64_t now_ns)
{
	struct lookout *lookout = lookout_of(following);
	if (!lookout->place || !enter_some(following, now_ns))
		return;
	lookout->place = 0;
	if (lookout->is_told)
		lookout->is_told = !set_membership(following, false);
	publish(following);
}

/* It has been possible before; if it should not be now, we go on asking. */
static void begin_being_told(struct following *following)
{
	struct lookout *lookout = lookout_of(following);
	lookout->is_told = set_membership(following, true);
	lookout->attention.is_asking = !lookout->is_told;
	publish(following);
}

static void be_told_again(struct following *following)
{
	struct lookout *lookout = lookout_of(following);
	lookout->place = 0;
	if (lookout->is_told)
		publish(following);
	else
		begin_being_told(following);
	/* Should somebody who reports have failed to. */
	inventory_want(following);
}

/* Who is still to get his END line waits for a notice at most a second. */
static void rest_when_idle(struct following *following, uint64_t now_ns)
{
	struct lookout *lookout = lookout_of(following);
	if (following->acceptor->ledger.n)
		lookout->idle_ns = 0;
	else if (!lookout->idle_ns)
		lookout->idle_ns = now_ns;
	else if (now_ns - lookout->idle_ns >= idle_patience_ns && lookout->is_told)
		lookout->is_told = !set_membership(following, false);
}

static void set_timer(struct following *following, double after_s)
{
	struct lookout *lookout = lookout_of(following);
	ev_timer_stop(following->acceptor->loop, &lookout->timer);
	ev_timer_set(&lookout->timer, after_s, 0);
	ev_timer_start(following->acceptor->loop, &lookout->timer);
}

static void judge(struct following *following, uint64_t now_ns)
{
	struct lookout *lookout = lookout_of(following);
	if (!attention_judge(&lookout->attention, now_ns))
		return;
	if (lookout->attention.is_asking)
		begin_asking(following);
	else
		be_told_again(following);
	set_timer(following, 0);
}

static bool has_any(const struct lookout *lookout)
{
	bool has_any = false;
	for (int number = 0; number < LOOKOUT_LISTS; number++)
		has_any |= lookout->lists[number].n != 0;
	return has_any;
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct following *following = timer->data;
	struct lookout *lookout = lookout_of(following);
	uint64_t now_ns = clock_now_ns();
	bool has_more = true;
	lookout->attention.n_others = openings_rate(&lookout->openings, now_ns);
	judge(following, now_ns);
	for (int i = 0; i < STEP_LOOK_UPS / DIAG_LOOK_UPS_MAX && has_more; i++)
		has_more = ask_some(following, now_ns);
	go_on_entering(following, now_ns);
	following_settle(following, now_ns);
	if (has_more || lookout->place)
		set_timer(following, 0);
	else if (has_any(lookout))
		set_timer(following, FIRST_PERIOD_MS / 1000.0);
	else if (lookout->attention.is_asking)
		set_timer(following, ATTENTION_WINDOW_MS / 1000.0);
	rest_when_idle(following, now_ns);
	if (lookout->is_told && !ev_is_active(timer))
		set_timer(following, LOOK_ROUND_S);
}

/* ---- what others see ------------------------------------------------------------------------- */

void lookout_add(struct following *following, const struct service *service, uint32_t place,
	uint64_t now_ns)
{
	struct lookout *lookout = lookout_of(following);
	bool is_near_limit = !admission_has_room(&service->admission, FOLLOWING_NEAR_LIMIT);
	if (following->query_fd >= 0) {
		attention_note(&lookout->attention, is_near_limit);
		judge(following, now_ns);
	}
	if (lookout->attention.is_asking && must_ask_for(service)) {
		push(following, 0, place, now_ns);
	} else if (!lookout->attention.is_asking && !lookout->is_told) {
		begin_being_told(following);
		set_timer(following, LOOK_ROUND_S);
	}
}

void lookout_init(struct following *following, uint32_t max_notices)
{
	struct lookout *lookout = lookout_of(following);
	lookout->attention.max = max_notices;
	ev_init(&lookout->timer, on_timer);
	lookout->timer.data = following;
	openings_open(&lookout->openings);
	/* The socket is given to us as one of the groups. */
	lookout->is_told = !set_membership(following, false);
}

void lookout_close(struct following *following)
{
	struct lookout *lookout = lookout_of(following);
	ev_timer_stop(following->acceptor->loop, &lookout->timer);
	openings_close(&lookout->openings);
	for (int number = 0; number < LOOKOUT_LISTS; number++)
		due_ring_clear(&lookout->lists[number]);
}
