#include "acceptor/lapse.h"

#include <errno.h>

#include "acceptor/acceptor.h"
#include "acceptor/diag.h"
#include "acceptor/following.h"
#include "acceptor/service.h"
#include "base/clock.h"

/* How much one turn of the loop does. */
enum { STEP_PLACES = 4096, STEP_LOOK_UPS = 256 };

static const uint64_t shortest_walk_ns = 10000000, longest_walk_ns = 1000000000;

/* Until one that is being ended is looked at again, and until the supervisor is asked once more. */
static const uint64_t look_again_ns = 250000000, ask_again_ns = UINT64_C(5000000000);

/* Who has one that is reset may say so. */
static const uint64_t last_word_ns = 1000000000;

static void set_timer(struct acceptor *acceptor, uint64_t due_ns, uint64_t now_ns)
{
	struct lapse_watch *watch = &acceptor->lapses;
	ev_timer_stop(acceptor->loop, &watch->timer);
	watch->timer_ns = due_ns;
	if (due_ns == NEVER_NS)
		return;
	ev_timer_set(&watch->timer, due_ns > now_ns ? (double)(due_ns - now_ns) / 1e9 : 0, 0);
	ev_timer_start(acceptor->loop, &watch->timer);
}

/* A walk that is under way takes it along, or leaves it for the next. */
static void wake(struct acceptor *acceptor, uint64_t due_ns, uint64_t now_ns)
{
	struct lapse_watch *watch = &acceptor->lapses;
	if (watch->place)
		watch->next_ns = due_ns < watch->next_ns ? due_ns : watch->next_ns;
	else if (due_ns < watch->timer_ns)
		set_timer(acceptor, due_ns, now_ns);
}

/* ---- one connection -------------------------------------------------------------------------- */

static uint64_t handed_ns(const struct ledger_entry *entry)
{
	return entry->accepted_ns + entry->handed_after_ms * UINT64_C(1000000);
}

/* 0 with what the kernel says of it; -ENOENT: it has ended; other -errno: that is not known. */
static int look_up(struct acceptor *acceptor, const struct ledger_entry *entry,
	struct diag_facts *ret_facts)
{
	int query = acceptor->following && entry->is_followed ? acceptor->following->query_fd : -1;
	return query < 0 ? -EOPNOTSUPP
			 : diag_look_up(query, entry->id, &entry->local, &entry->peer, ret_facts);
}

static void note_gone(struct following *following, uint32_t place, uint64_t now_ns)
{
	following_entry_gone(following, place, NULL, now_ns);
	following_set_timer(following, now_ns);
}

static void tell_supervisor(struct service *service, const struct ledger_entry *entry)
{
	struct control_connection message = {
		.kind = CONTROL_LAPSED,
		.service = service->number,
		.id = entry->id,
		.peer = entry->peer,
		.local = entry->local,
		.pid = entry->pid,
		.reason = entry->severance,
	};
	acceptor_tell_supervisor(service->acceptor, &message, sizeof message);
}

static void keep_bytes(struct ledger_entry *entry, const struct diag_facts *facts)
{
	if (!facts->has_bytes)
		return;
	entry->has_bytes = true;
	entry->bytes_in = facts->bytes_in;
	entry->bytes_out = facts->bytes_out;
}

/*
 * What is in the queue takes room there until somebody fetches it. Of silent workers nothing is known,
 * and those who hang are to cost no place.
 */
static bool is_taken(const struct service *service, const struct ledger_entry *entry)
{
	bool is_silent = service->may_be_silent && !service->has_reports;
	return entry->state != LEDGER_WAITING || is_silent;
}

/* It was to end. A command that has not is the supervisor's business, who kills it. */
static void check_severed(struct service *service, uint32_t place, uint64_t now_ns)
{
	struct ledger_entry *entry = ledger_at(&service->acceptor->ledger, place);
	struct diag_facts facts;
	bool is_command = entry->state == LEDGER_STARTED && entry->pid != entry->worker;
	if (entry->is_gone && entry->state == LEDGER_STARTED && !is_command) {
		following_end(service, place, now_ns);
		service_settle(service, now_ns);
		return;
	}
	int r = look_up(service->acceptor, entry, &facts);
	if (r == -ENOENT && !entry->is_gone && is_taken(service, entry)) {
		entry->look_ns = now_ns + last_word_ns;
		note_gone(service->acceptor->following, place, now_ns);
		return;
	}
	entry->look_ns = now_ns + ask_again_ns;
	if (entry->severance != SEVERANCE_ORDER)
		tell_supervisor(service, entry);
}

/* Nothing goes either way any more where the connection has ended and its command has not. */
static void add_facts(struct lapse_facts *facts, const struct ledger_entry *entry,
	const struct diag_facts *seen)
{
	uint64_t gone_ns = entry->accepted_ns + entry->gone_after_ms * UINT64_C(1000000);
	if (entry->is_gone) {
		facts->has_idle = true;
		facts->idle_ms = gone_ns < facts->now_ns ? (facts->now_ns - gone_ns) / 1000000 : 0;
	} else if (seen->has_info) {
		facts->has_bytes = seen->has_bytes;
		facts->bytes_in = seen->bytes_in;
		facts->has_idle = true;
		facts->idle_ms = seen->idle_ms;
	}
}

static void judge(struct service *service, uint32_t place, uint64_t now_ns)
{
	struct ledger_entry *entry = ledger_at(&service->acceptor->ledger, place);
	struct diag_facts seen = { 0 };
	struct lapse_facts facts = {
		.now_ns = now_ns,
		.accepted_ns = entry->accepted_ns,
		.handed_ns = handed_ns(entry),
	};
	int r = entry->is_gone ? 0 : look_up(service->acceptor, entry, &seen);
	add_facts(&facts, entry, &seen);
	enum severance reason = lapse_judge(&service->settings->lapses, &facts, &entry->look_ns);
	if (reason == SEVERANCE_NONE) {
		/* It may be known the next time; and one that its client has reset is not found. */
		if (r < 0 && r != -EOPNOTSUPP && entry->look_ns > now_ns + longest_walk_ns)
			entry->look_ns = now_ns + longest_walk_ns;
		if (r == -ENOENT && is_taken(service, entry))
			note_gone(service->acceptor->following, place, now_ns);
		return;
	}
	keep_bytes(entry, &seen);
	entry->severance = (uint8_t)reason;
	entry->look_ns = now_ns + look_again_ns;
	tell_supervisor(service, entry);
}

/* How many questions that took: 1 or 0. */
static uint32_t visit(struct acceptor *acceptor, uint32_t place, uint64_t now_ns)
{
	struct lapse_watch *watch = &acceptor->lapses;
	struct ledger_entry *entry = ledger_at(&acceptor->ledger, place);
	struct service *service = entry->is_used ? acceptor->services[entry->service] : NULL;
	uint32_t n_look_ups = 0;
	if (!service || entry->state == LEDGER_HELD ||
		!(entry->severance || lapse_has_limits(&service->settings->lapses)))
		return 0;
	if (!entry->look_ns)
		entry->look_ns = lapse_first_look_ns(
			&service->settings->lapses, entry->accepted_ns, handed_ns(entry));
	if (entry->look_ns <= now_ns) {
		n_look_ups = 1;
		if (entry->severance)
			check_severed(service, place, now_ns);
		else
			judge(service, place, now_ns);
		/* It may be no more, and the ledger smaller. */
		if (place >= acceptor->ledger.capacity || !(entry = ledger_at(&acceptor->ledger, place))->is_used)
			return n_look_ups;
	}
	if (entry->look_ns < watch->next_ns)
		watch->next_ns = entry->look_ns;
	return n_look_ups;
}

/* ---- the walk -------------------------------------------------------------------------------- */

/* An eighth of the shortest limit that there is. */
static uint64_t walk_every_ns(const struct acceptor *acceptor)
{
	uint64_t every_ns = longest_walk_ns;
	for (uint32_t row = 0; row < acceptor->n_rows; row++) {
		const struct service *service = acceptor->services[row];
		uint64_t ns = service ? lapse_shortest_ns(&service->settings->lapses) / 8 : every_ns;
		every_ns = ns < every_ns ? ns : every_ns;
	}
	return every_ns < shortest_walk_ns ? shortest_walk_ns : every_ns;
}

static void finish(struct acceptor *acceptor, uint64_t now_ns)
{
	struct lapse_watch *watch = &acceptor->lapses;
	uint64_t soonest_ns = watch->begun_ns + walk_every_ns(acceptor);
	watch->place = 0;
	if (watch->next_ns == NEVER_NS)
		set_timer(acceptor, NEVER_NS, now_ns);
	else
		set_timer(acceptor, watch->next_ns > soonest_ns ? watch->next_ns : soonest_ns, now_ns);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	struct acceptor *acceptor = timer->data;
	struct lapse_watch *watch = &acceptor->lapses;
	uint64_t now_ns = clock_now_ns();
	uint32_t n_look_ups = 0;
	if (!watch->place) {
		watch->begun_ns = now_ns;
		watch->next_ns = NEVER_NS;
		watch->place = LEDGER_NOWHERE + 1;
	}
	uint32_t end = watch->place + STEP_PLACES;
	for (; watch->place < acceptor->ledger.capacity && watch->place < end &&
		n_look_ups < STEP_LOOK_UPS;
		watch->place++)
		n_look_ups += visit(acceptor, watch->place, now_ns);
	if (watch->place >= acceptor->ledger.capacity)
		finish(acceptor, now_ns);
	else
		set_timer(acceptor, now_ns, now_ns);
}

/* ---- what others say ------------------------------------------------------------------------- */

void lapse_on_limits(struct service *service)
{
	struct ledger *ledger = &service->acceptor->ledger;
	uint32_t place = service->traffic->account.oldest;
	for (; place; place = ledger_at(ledger, place)->newer)
		if (!ledger_at(ledger, place)->severance)
			ledger_at(ledger, place)->look_ns = 0;
	if (service->traffic->account.n && lapse_has_limits(&service->settings->lapses))
		wake(service->acceptor, clock_now_ns(), clock_now_ns());
}

void lapse_expect(struct service *service, uint64_t now_ns)
{
	if (service->traffic->account.n && lapse_has_limits(&service->settings->lapses))
		wake(service->acceptor, now_ns + lapse_shortest_ns(&service->settings->lapses), now_ns);
}

void lapse_on_severed(struct service *service, const struct control_connection *connection)
{
	struct ledger *ledger = &service->acceptor->ledger;
	uint64_t now_ns = clock_now_ns();
	uint32_t place = ledger_find(ledger, service->number, connection->id);
	if (!place || connection->reason >= SEVERANCES)
		return;
	struct ledger_entry *entry = ledger_at(ledger, place);
	struct diag_facts facts;
	/* What is over stays so; the supervisor is asked again. */
	if (!connection->reason) {
		if (entry->severance == SEVERANCE_ORDER)
			entry->severance = SEVERANCE_NONE;
		return;
	}
	if (!entry->severance && look_up(service->acceptor, entry, &facts) == 0)
		keep_bytes(entry, &facts);
	if (!entry->severance)
		entry->severance = (uint8_t)connection->reason;
	entry->look_ns = now_ns + look_again_ns;
	wake(service->acceptor, entry->look_ns, now_ns);
}

void lapse_open(struct acceptor *acceptor)
{
	acceptor->lapses = (struct lapse_watch){ .timer_ns = NEVER_NS, .next_ns = NEVER_NS };
	ev_init(&acceptor->lapses.timer, on_timer);
	acceptor->lapses.timer.data = acceptor;
}

void lapse_close(struct acceptor *acceptor)
{
	ev_timer_stop(acceptor->loop, &acceptor->lapses.timer);
}
