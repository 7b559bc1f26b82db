#include "acceptor/following.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "acceptor/acceptor.h"
#include "acceptor/farewell.h"
#include "acceptor/inventory.h"
#include "acceptor/losses.h"
#include "acceptor/reports.h"
#include "acceptor/service.h"
#include "base/clock.h"
#include "base/fd.h"

/* How many times notices are read in one turn of the loop. */
enum { READS_AT_ONCE = 32 };

/* More ports than this are no services of ours but what programs send us: all may pass. */
enum { PORTS_MAX = 1024 };

static const uint64_t patience_ns = 1000000000, patience_unheard_ns = 100000000;

/*
 * An end that nobody waits for may wait for others. To be woken for each one of them costs more
 * than all that is done with it. Near a limit the next client may have to wait for it.
 */
static const double GATHERING_S = 0.005, GATHERING_NEAR_LIMIT_S = 0.001;

static struct service *service_of(struct following *following, const struct ledger_entry *entry)
{
	return following->acceptor->services[entry->service];
}

/* ---- the end of a connection ----------------------------------------------------------------- */

static uint64_t earlier(uint64_t due_ns, const struct due_item *item)
{
	return item && item->due_ns < due_ns ? item->due_ns : due_ns;
}

void following_set_timer(struct following *following, uint64_t now_ns)
{
	uint64_t due_ns = farewell_due_ns(following->farewells);
	due_ns = earlier(due_ns, due_ring_first(&following->gone));
	due_ns = earlier(due_ns, due_ring_first(&following->gone_unheard));
	if (due_ns == NEVER_NS || ev_is_active(&following->timer))
		return;
	ev_timer_set(&following->timer, due_ns > now_ns ? (double)(due_ns - now_ns) / 1e9 : 0, 0);
	ev_timer_start(following->acceptor->loop, &following->timer);
}

bool following_end(struct service *service, uint32_t place, uint64_t now_ns)
{
	const struct ledger_entry *entry = ledger_at(&service->acceptor->ledger, place);
	if (!entry->is_gone)
		return false;
	struct ending ending = {
		.duration_us = (uint64_t)entry->gone_after_ms * 1000,
		.is_by_kernel = true,
	};
	reports_end(service, place, &ending, now_ns);
	return true;
}

/* Of those that end together each service is settled once. */
static void settle_later(struct following *following, struct service *service)
{
	if (service->is_unsettled)
		return;
	service->is_unsettled = true;
	service->next_unsettled = following->first_unsettled;
	following->first_unsettled = service;
}

void following_settle(struct following *following, uint64_t now_ns)
{
	struct service *service;
	while ((service = following->first_unsettled)) {
		following->first_unsettled = service->next_unsettled;
		service->is_unsettled = false;
		service_settle(service, now_ns);
	}
}

/* Nobody has said a word of it in all the time that was given to him. */
static void end_entry(struct following *following, uint32_t place, uint64_t now_ns)
{
	struct service *service =
		service_of(following, ledger_at(&following->acceptor->ledger, place));
	if (service->may_be_silent && !service->has_reports)
		losses_note_silence(service);
	following_end(service, place, now_ns);
	settle_later(following, service);
}

/* Who has never said a word gets less time for the first one. */
static void await_report(struct following *following, uint32_t place, uint64_t now_ns)
{
	const struct ledger_entry *entry = ledger_at(&following->acceptor->ledger, place);
	const struct service *service = service_of(following, entry);
	bool is_unheard = service->may_be_silent && !service->has_reports;
	const struct due_item item = {
		.id = entry->id,
		.due_ns = now_ns + (is_unheard ? patience_unheard_ns : patience_ns),
		.place = place,
	};
	if (due_ring_push(is_unheard ? &following->gone_unheard : &following->gone, &item) < 0)
		end_entry(following, place, now_ns);
}

void following_note_gone(struct following *following, uint32_t place,
	const struct diag_facts *facts, uint64_t now_ns)
{
	struct ledger_entry *entry = ledger_at(&following->acceptor->ledger, place);
	const struct service *service = service_of(following, entry);
	if (entry->is_gone || entry->state == LEDGER_HELD)
		return;
	following->is_awaited |= service->paused || service->first_held;
	following->is_near_limit |= !admission_has_room(&service->admission, FOLLOWING_NEAR_LIMIT);
	entry->is_gone = true;
	entry->gone_after_ms = (uint32_t)((now_ns - entry->accepted_ns) / 1000000);
	/* A connection that was reset by us has lost its counters: what was known before stays. */
	if (facts && (facts->has_bytes || !entry->severance)) {
		entry->has_bytes = facts->has_bytes;
		entry->bytes_in = facts->bytes_in;
		entry->bytes_out = facts->bytes_out;
	}
	/* A process that is known is waited for, however long it goes on without its client. */
	if (entry->state == LEDGER_STARTED)
		return;
	if (entry->state == LEDGER_WAITING ? !service->is_silent : entry->worker != 0)
		await_report(following, place, now_ns);
	else
		end_entry(following, place, now_ns);
}

void following_entry_gone(struct following *following, uint32_t place,
	const struct diag_facts *facts, uint64_t now_ns)
{
	following_note_gone(following, place, facts, now_ns);
	following_settle(following, now_ns);
}

static void on_notice(void *context, const struct diag_facts *facts)
{
	struct following *following = context;
	struct ledger *ledger = &following->acceptor->ledger;
	uint32_t place = ledger_find_id(ledger, facts->cookie);
	if (!place)
		farewell_complete(following->farewells, facts);
	while (place) {
		uint32_t next = ledger_find_same(ledger, place);
		following_note_gone(following, place, facts, following->now_ns);
		place = next;
	}
}

/* A worker that died is the business of losses.c, which is told of it or knows already. */
static bool is_to_end(const struct due_item *gone, const struct ledger_entry *entry)
{
	return entry->is_used && entry->id == gone->id && entry->is_gone &&
	       entry->state != LEDGER_STARTED && !entry->suspicion;
}

static void end_those_due(struct following *following, struct due_ring *ring, uint64_t now_ns)
{
	struct ledger *ledger = &following->acceptor->ledger;
	const struct due_item *first;
	while ((first = due_ring_first(ring)) && first->due_ns <= now_ns) {
		struct due_item gone = *first;
		due_ring_drop_first(ring);
		if (gone.place < ledger->capacity && is_to_end(&gone, ledger_at(ledger, gone.place)))
			end_entry(following, gone.place, now_ns);
	}
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	struct following *following = timer->data;
	uint64_t now_ns = clock_now_ns();
	end_those_due(following, &following->gone_unheard, now_ns);
	end_those_due(following, &following->gone, now_ns);
	following_settle(following, now_ns);
	farewell_expire(following->farewells, following->query_fd, now_ns);
	following_set_timer(following, now_ns);
}

/* False: there was none. */
static bool read_notices(struct following *following, int n_reads)
{
	bool has_some = false;
	int r = DIAG_NOTICES_MAX;
	for (int i = 0; i < n_reads && r == DIAG_NOTICES_MAX; i++) {
		following->now_ns = clock_now_ns();
		r = diag_read_notices(following->notices.fd, on_notice, following);
		has_some |= r > 0;
	}
	if (r < 0 && r != -EAGAIN)
		inventory_want(following);
	following_settle(following, following->now_ns);
	following_set_timer(following, following->now_ns);
	return has_some;
}

static bool is_gathering(const struct following *following)
{
	return ev_is_active(&following->gathering);
}

/* Somebody waits for a place that an end makes free: then each is read as it comes. */
static void on_notices(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)revents;
	struct following *following = io->data;
	following->is_awaited = following->is_near_limit = false;
	if (!read_notices(following, READS_AT_ONCE) || following->is_awaited)
		return;
	ev_io_stop(loop, io);
	ev_timer_set(&following->gathering,
		following->is_near_limit ? GATHERING_NEAR_LIMIT_S : GATHERING_S, 0);
	ev_timer_start(loop, &following->gathering);
}

static void on_gathered(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct following *following = timer->data;
	ev_io_start(loop, &following->notices);
	on_notices(loop, &following->notices, revents);
}

void following_catch_up(struct acceptor *acceptor)
{
	if (acceptor->following && is_gathering(acceptor->following))
		read_notices(acceptor->following, READS_AT_ONCE);
}

void following_drain(struct acceptor *acceptor)
{
	if (acceptor->following)
		read_notices(acceptor->following, READS_AT_ONCE * 16);
}

/* ---- which connections ----------------------------------------------------------------------- */

static void attach_filter(struct following *following)
{
	static struct sock_filter instructions[PORTFILTER_MAX];
	struct sock_fprog program = { .filter = instructions };
	program.len = (unsigned short)portfilter_make(&following->ports, instructions);
	int none = 0;
	if (setsockopt(following->notices.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
		    sizeof program) < 0)
		setsockopt(following->notices.fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
}

static void recount_ports(struct following *following)
{
	const struct ledger *ledger = &following->acceptor->ledger;
	memset(&following->ports, 0, sizeof following->ports);
	following->n_ports = 0;
	following->must_recount = false;
	for (uint32_t place = 1; place < ledger->capacity; place++) {
		const struct ledger_entry *entry = &ledger->entries[place];
		if (entry->is_used && entry->is_followed) {
			following->n_ports += !portset_has(&following->ports, entry->local.port);
			portset_add(&following->ports, entry->local.port);
		}
	}
}

/* Its notice cannot come before our own copy of the connection is closed. */
static void learn_port(struct following *following, uint16_t port)
{
	if (following->must_recount)
		recount_ports(following);
	portset_add(&following->ports, port);
	if (++following->n_ports > PORTS_MAX)
		memset(&following->ports, 0xff, sizeof following->ports);
	attach_filter(following);
}

/* Whether it will be followed; then its port is one of those whose notices are let through. */
static bool expect(struct following *following, const struct ledger_entry *like)
{
	bool is_ip = like->local.family == AF_INET || like->local.family == AF_INET6;
	if (!following || !is_ip || like->is_foreign)
		return false;
	if (!portset_has(&following->ports, like->local.port))
		learn_port(following, like->local.port);
	return true;
}

uint32_t following_add(struct service *service, struct ledger_entry *like, uint64_t now_ns)
{
	struct acceptor *acceptor = service->acceptor;
	like->is_followed = expect(acceptor->following, like);
	uint32_t place = ledger_add(&acceptor->ledger, &service->traffic->account, like);
	if (place && like->is_followed)
		lookout_add(acceptor->following, service, place, now_ns);
	return place;
}

void following_say_end(struct service *service, const struct ledger_entry *entry,
	const struct ending *ending, uint64_t now_ns)
{
	struct following *following = service->acceptor->following;
	bool is_told = following && following->lookout.is_told;
	farewell_say(is_told ? following->farewells : NULL, service, entry, ending, now_ns);
	if (following)
		following_set_timer(following, now_ns);
}

void following_forget(struct service *service)
{
	struct following *following = service->acceptor->following;
	if (!following)
		return;
	farewell_flush(following->farewells, service);
	following->must_recount = true;
}

void following_check(struct acceptor *acceptor)
{
	if (acceptor->following)
		inventory_want(acceptor->following);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

struct following *following_open(struct acceptor *acceptor, int notices_given, uint32_t max_notices)
{
	fd_auto int notices_fd = notices_given;
	struct following *following = calloc(1, sizeof *following);
	if (!following)
		return NULL;
	following->acceptor = acceptor;
	following->farewells = farewells_create();
	if (!following->farewells) {
		free(following);
		return NULL;
	}
	following->query_fd = acceptor->survey.io.fd < 0 ? -1 : diag_open();
	ev_io_init(&following->notices, on_notices, fd_take(&notices_fd), EV_READ);
	ev_init(&following->timer, on_timer);
	ev_init(&following->gathering, on_gathered);
	inventory_init(following);
	lookout_init(following, max_notices);
	following->notices.data = following->timer.data = following->gathering.data = following;
	/* What the kernel says of an end is known before what the worker says of it. */
	ev_set_priority(&following->notices, 1);
	ev_io_start(acceptor->loop, &following->notices);
	attach_filter(following);
	return following;
}

void following_close(struct following *following)
{
	if (!following)
		return;
	struct ev_loop *loop = following->acceptor->loop;
	farewells_destroy(following->farewells);
	lookout_close(following);
	ev_io_stop(loop, &following->notices);
	ev_timer_stop(loop, &following->timer);
	ev_timer_stop(loop, &following->gathering);
	ev_timer_stop(loop, &following->inventory);
	fd_close(&following->notices.fd);
	fd_close(&following->query_fd);
	due_ring_clear(&following->gone);
	due_ring_clear(&following->gone_unheard);
	free(following);
}
