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
enum { READS_AT_ONCE = 32, GONE_SMALLEST = 64 };

/* More ports than this are no services of ours but what programs send us: all may pass. */
enum { PORTS_MAX = 1024 };

static const uint64_t patience_ns = 1000000000;

/*
 * An end that nobody waits for may wait for others. To be woken for each one of them costs more
 * than all that is done with it. Near a limit the next client may have to wait for it.
 */
static const double GATHERING_S = 0.005, GATHERING_NEAR_LIMIT_S = 0.001;

/* So near is one where so many more would reach it. */
enum { NEAR_LIMIT = 32 };

static struct service *service_of(struct following *following, const struct ledger_entry *entry)
{
	return following->acceptor->services[entry->service];
}

/* ---- the end of a connection ----------------------------------------------------------------- */

void following_set_timer(struct following *following, uint64_t now_ns)
{
	uint64_t due_ns = farewell_due_ns(following->farewells);
	if (following->n_gone && following->gone[following->first_gone].due_ns < due_ns)
		due_ns = following->gone[following->first_gone].due_ns;
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

static void settle_all(struct following *following, uint64_t now_ns)
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

static int enlarge_ring(struct following *following)
{
	uint32_t before = following->gone_capacity;
	uint32_t capacity = before ? before * 2 : GONE_SMALLEST;
	struct following_gone *gone = malloc(capacity * sizeof *gone);
	if (!gone)
		return -ENOMEM;
	for (uint32_t i = 0; i < following->n_gone; i++)
		gone[i] = following->gone[(following->first_gone + i) % before];
	free(following->gone);
	following->gone = gone;
	following->gone_capacity = capacity;
	following->first_gone = 0;
	return 0;
}

static void await_report(struct following *following, uint32_t place, uint64_t now_ns)
{
	if (following->n_gone == following->gone_capacity && enlarge_ring(following) < 0) {
		end_entry(following, place, now_ns);
		return;
	}
	uint32_t at = (following->first_gone + following->n_gone++) % following->gone_capacity;
	following->gone[at] = (struct following_gone){
		.id = ledger_at(&following->acceptor->ledger, place)->id,
		.due_ns = now_ns + patience_ns,
		.place = place,
	};
}

static void take_end(struct following *following, uint32_t place, const struct diag_facts *facts,
	uint64_t now_ns)
{
	struct ledger_entry *entry = ledger_at(&following->acceptor->ledger, place);
	const struct service *service = service_of(following, entry);
	if (entry->is_gone || entry->state == LEDGER_HELD)
		return;
	following->is_awaited |= service->paused || service->first_held;
	following->is_near_limit |= !admission_has_room(&service->admission, NEAR_LIMIT);
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
	take_end(following, place, facts, now_ns);
	settle_all(following, now_ns);
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
		take_end(following, place, facts, following->now_ns);
		place = next;
	}
}

/* A worker that died is the business of losses.c, which is told of it or knows already. */
static bool is_to_end(const struct following_gone *gone, const struct ledger_entry *entry)
{
	return entry->is_used && entry->id == gone->id && entry->is_gone &&
	       entry->state != LEDGER_STARTED && !entry->suspicion;
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	struct following *following = timer->data;
	struct ledger *ledger = &following->acceptor->ledger;
	uint64_t now_ns = clock_now_ns();
	while (following->n_gone && following->gone[following->first_gone].due_ns <= now_ns) {
		struct following_gone gone = following->gone[following->first_gone];
		following->first_gone = (following->first_gone + 1) % following->gone_capacity;
		following->n_gone--;
		if (gone.place < ledger->capacity && is_to_end(&gone, ledger_at(ledger, gone.place)))
			end_entry(following, gone.place, now_ns);
	}
	settle_all(following, now_ns);
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
	settle_all(following, following->now_ns);
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

void following_expect(struct acceptor *acceptor, struct ledger_entry *like)
{
	struct following *following = acceptor->following;
	bool is_ip = like->local.family == AF_INET || like->local.family == AF_INET6;
	if (!following || !is_ip || like->is_foreign)
		return;
	like->is_followed = true;
	if (!portset_has(&following->ports, like->local.port))
		learn_port(following, like->local.port);
}

void following_say_end(struct service *service, const struct ledger_entry *entry,
	const struct ending *ending, uint64_t now_ns)
{
	struct following *following = service->acceptor->following;
	farewell_say(following ? following->farewells : NULL, service, entry, ending, now_ns);
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

struct following *following_open(struct acceptor *acceptor, int notices_given)
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
	ev_io_stop(loop, &following->notices);
	ev_timer_stop(loop, &following->timer);
	ev_timer_stop(loop, &following->gathering);
	ev_timer_stop(loop, &following->inventory);
	fd_close(&following->notices.fd);
	fd_close(&following->query_fd);
	free(following->gone);
	free(following);
}
