#include "acceptor/following.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "acceptor/acceptor.h"
#include "acceptor/accepting.h"
#include "acceptor/farewell.h"
#include "acceptor/losses.h"
#include "acceptor/reports.h"
#include "acceptor/service.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

/* How many times notices are read in one turn of the loop, and places looked at. */
enum { READS_AT_ONCE = 8, STEP_PLACES = 8192, STEP_LOOK_UPS = 256, GONE_SMALLEST = 64 };

/* More ports than this are no services of ours but what programs send us: all may pass. */
enum { PORTS_MAX = 1024 };

static const uint64_t patience_ns = 1000000000;

/* Between two inventories; before the first, workers may say what they have. */
static const double inventory_delay_s = 0.25;

static struct service *service_of(struct following *following, const struct ledger_entry *entry)
{
	return following->acceptor->services[entry->service];
}

/* ---- the end of a connection ----------------------------------------------------------------- */

static void set_timer(struct following *following, uint64_t now_ns)
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

/* Nobody has said a word of it in all the time that was given to him. */
static void end_entry(struct following *following, uint32_t place, uint64_t now_ns)
{
	struct service *service =
		service_of(following, ledger_at(&following->acceptor->ledger, place));
	if (service->may_be_silent && !service->has_reports)
		losses_note_silence(service);
	following_end(service, place, now_ns);
	service_settle(service, now_ns);
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

/* The kernel has told that it has ended; `facts` is NULL where only that is known. */
static void entry_gone(struct following *following, uint32_t place,
	const struct diag_facts *facts, uint64_t now_ns)
{
	struct ledger_entry *entry = ledger_at(&following->acceptor->ledger, place);
	const struct service *service = service_of(following, entry);
	if (entry->is_gone || entry->state == LEDGER_HELD)
		return;
	entry->is_gone = true;
	entry->gone_after_ms = (uint32_t)((now_ns - entry->accepted_ns) / 1000000);
	if (facts) {
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

static void on_notice(void *context, const struct diag_facts *facts)
{
	struct following *following = context;
	struct ledger *ledger = &following->acceptor->ledger;
	uint32_t place = ledger_find_id(ledger, facts->cookie);
	uint64_t now_ns = place ? clock_now_ns() : 0;
	if (!place)
		farewell_complete(following->farewells, facts);
	while (place) {
		uint32_t next = ledger_find_same(ledger, place);
		entry_gone(following, place, facts, now_ns);
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
	farewell_expire(following->farewells, following->query_fd, now_ns);
	set_timer(following, now_ns);
}

static void want_inventory(struct following *following)
{
	if (following->query_fd < 0)
		return;
	following->is_wanted = true;
	if (following->begun_ns || ev_is_active(&following->inventory))
		return;
	ev_timer_set(&following->inventory, inventory_delay_s, 0);
	ev_timer_start(following->acceptor->loop, &following->inventory);
}

static void read_notices(struct following *following, int n_reads)
{
	int r = DIAG_NOTICES_MAX;
	for (int i = 0; i < n_reads && r == DIAG_NOTICES_MAX; i++)
		r = diag_read_notices(following->notices.fd, on_notice, following);
	if (r < 0 && r != -EAGAIN)
		want_inventory(following);
	set_timer(following, clock_now_ns());
}

static void on_notices(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	read_notices(io->data, READS_AT_ONCE);
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
		set_timer(following, now_ns);
}

void following_forget(struct service *service)
{
	struct following *following = service->acceptor->following;
	if (!following)
		return;
	farewell_flush(following->farewells, service);
	following->must_recount = true;
}

/* ---- the inventory --------------------------------------------------------------------------- */

/* Its workers say nothing, and an acceptor before us knew of more than we do. */
static bool has_unknown(const struct service *service)
{
	return service && service->may_be_silent && service->admission.unknown;
}

/* NULL: it is none of ours, or we would be told of it. */
static struct service *whose_unknown(struct following *following, const struct diag_facts *facts)
{
	struct acceptor *acceptor = following->acceptor;
	for (uint32_t row = 0; row < acceptor->n_rows && facts->has_owner; row++)
		if (has_unknown(acceptor->services[row]) &&
			accepting_has_address(acceptor->services[row], &facts->local))
			return acceptor->services[row];
	return NULL;
}

static void enter_unknown(struct following *following, const struct diag_facts *facts)
{
	struct service *service = whose_unknown(following, facts);
	uint64_t now_ns = clock_now_ns();
	if (!service)
		return;
	struct report report = {
		.kind = REPORT_TAKEN,
		.connection = facts->cookie,
		.accepted_ns = following->begun_ns,
		.peer = facts->peer,
		.local = facts->local,
	};
	uint32_t place = reports_adopt(service, &report, now_ns);
	if (place)
		ledger_at(&following->acceptor->ledger, place)->seen = following->generation;
}

static void on_living(void *context, const struct diag_facts *facts)
{
	struct following *following = context;
	struct ledger *ledger = &following->acceptor->ledger;
	uint32_t place = ledger_find_id(ledger, facts->cookie);
	if (!place)
		enter_unknown(following, facts);
	for (; place; place = ledger_find_same(ledger, place))
		ledger_at(ledger, place)->seen = following->generation;
}

/* All that lives has been seen: the rest has ended while no acceptor looked. */
static void settle_unknown(struct service *service, uint64_t now_ns)
{
	if (!accepting_is_followed(service))
		return;
	score_add(service->score->served, service->admission.unknown);
	admission_set_unknown(&service->admission, 0);
	service->unknown_ns = NEVER_NS;
	service_settle(service, now_ns);
}

static void finish_inventory(struct following *following, bool is_complete)
{
	struct acceptor *acceptor = following->acceptor;
	uint64_t now_ns = clock_now_ns();
	following->begun_ns = 0;
	following->step = 0;
	for (uint32_t row = 0; row < acceptor->n_rows && is_complete; row++)
		if (has_unknown(acceptor->services[row]))
			settle_unknown(acceptor->services[row], now_ns);
	if (following->is_wanted)
		want_inventory(following);
}

static void on_survey_end(void *context, int error)
{
	struct following *following = context;
	if (error < 0 && !following->has_complained)
		log_warning("the kernel's list of connections cannot be read: %s; some that have ended "
			    "may be counted until their service is restarted",
			strerror(-error));
	following->has_complained = error < 0;
	following->step = 1;
	if (error < 0) {
		finish_inventory(following, false);
		return;
	}
	ev_timer_set(&following->inventory, 0, 0);
	ev_timer_start(following->acceptor->loop, &following->inventory);
}

static bool is_doubtful(const struct following *following, const struct ledger_entry *entry)
{
	return entry->is_used && entry->is_followed && !entry->is_gone &&
	       entry->state != LEDGER_HELD && entry->seen != following->generation &&
	       entry->accepted_ns < following->begun_ns;
}

/*
 * A list that is read in pieces may leave one out, so each is asked for by its name. What the client
 * has reset is not found, though somebody may have it yet: nothing more comes of it.
 */
static bool has_ended(const struct following *following, const struct ledger_entry *entry)
{
	struct diag_facts facts;
	return diag_look_up(following->query_fd, entry->id, &entry->local, &entry->peer, &facts) ==
	       -ENOENT;
}

static void take_step(struct following *following)
{
	struct ledger *ledger = &following->acceptor->ledger;
	uint64_t now_ns = clock_now_ns();
	uint32_t n_look_ups = 0;
	uint32_t end = following->step + STEP_PLACES;
	for (; following->step < end && n_look_ups < STEP_LOOK_UPS; following->step++) {
		/* It may become empty, and give its memory back. */
		if (following->step >= ledger->capacity) {
			finish_inventory(following, true);
			break;
		}
		const struct ledger_entry *entry = ledger_at(ledger, following->step);
		if (!is_doubtful(following, entry))
			continue;
		n_look_ups++;
		if (has_ended(following, entry))
			entry_gone(following, following->step, NULL, now_ns);
	}
	set_timer(following, now_ns);
	if (!following->begun_ns)
		return;
	ev_timer_set(&following->inventory, 0, 0);
	ev_timer_start(following->acceptor->loop, &following->inventory);
}

static void on_inventory(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	struct following *following = timer->data;
	if (following->begun_ns) {
		take_step(following);
		return;
	}
	following->is_wanted = false;
	following->begun_ns = clock_now_ns();
	following->generation++;
	survey_join(&following->acceptor->survey, &following->visitor);
}

void following_check(struct acceptor *acceptor)
{
	if (acceptor->following)
		want_inventory(acceptor->following);
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
	ev_init(&following->inventory, on_inventory);
	following->notices.data = following->timer.data = following->inventory.data = following;
	following->visitor.on_connection = on_living;
	following->visitor.on_end = on_survey_end;
	following->visitor.context = following;
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
	ev_timer_stop(loop, &following->inventory);
	fd_close(&following->notices.fd);
	fd_close(&following->query_fd);
	free(following->gone);
	free(following);
}
