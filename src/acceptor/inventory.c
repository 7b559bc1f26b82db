#include "acceptor/inventory.h"

#include <errno.h>
#include <string.h>

#include "acceptor/accepting.h"
#include "acceptor/acceptor.h"
#include "acceptor/following.h"
#include "acceptor/losses.h"
#include "acceptor/reports.h"
#include "acceptor/service.h"
#include "acceptor/unknowns.h"
#include "base/clock.h"
#include "base/log.h"

/* How many places are looked at in one turn of the loop, and asked for. */
enum { STEP_PLACES = 8192, STEP_LOOK_UPS = 256 };

/* Between two inventories; before the first, workers may say what they have. */
static const double inventory_delay_s = 0.25;

void inventory_want(struct following *following)
{
	if (following->query_fd < 0)
		return;
	following->is_wanted = true;
	if (following->begun_ns || ev_is_active(&following->inventory))
		return;
	ev_timer_set(&following->inventory, inventory_delay_s, 0);
	ev_timer_start(following->acceptor->loop, &following->inventory);
}

/*
 * An acceptor before us knew of more than we do. Workers that report tell by themselves what they have,
 * and are given their time.
 */
static bool has_unknown(const struct service *service)
{
	return service && service->admission.unknown &&
	       (service->may_be_silent || service->is_unknown_due);
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
	if (!service->may_be_silent) {
		service->n_unknown_alive++;
		return;
	}
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
	if (!facts->has_info)
		return;
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
	unknowns_settle(service, service->n_unknown_alive, now_ns);
	service_settle(service, now_ns);
}

/* What is asked for meanwhile is the business of the next. */
static void begin(struct following *following)
{
	struct acceptor *acceptor = following->acceptor;
	following->is_wanted = false;
	following->begun_ns = clock_now_ns();
	following->generation++;
	for (uint32_t row = 0; row < acceptor->n_rows; row++)
		if (acceptor->services[row])
			acceptor->services[row]->n_unknown_alive = 0;
	survey_join(&acceptor->survey, &following->visitor);
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
		inventory_want(following);
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

/* What its client has reset is not found, and may yet be ours, or wait in the queue. */
static bool may_be_with_us(const struct following *following, const struct ledger_entry *entry)
{
	const struct service *service = following->acceptor->services[entry->service];
	return entry->state == LEDGER_HELD ||
	       (entry->state == LEDGER_WAITING && losses_n_inside(service));
}

static bool is_doubtful(const struct following *following, const struct ledger_entry *entry)
{
	return entry->is_used && entry->is_followed && !entry->is_gone &&
	       entry->seen != following->generation && entry->accepted_ns < following->begun_ns &&
	       !may_be_with_us(following, entry);
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
			following_entry_gone(following, following->step, NULL, now_ns);
	}
	following_set_timer(following, now_ns);
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
	/* What is still on its way to us must not be taken for somebody's. */
	if (heir_is_waiting(&following->acceptor->heir))
		inventory_want(following);
	else
		begin(following);
}

void inventory_init(struct following *following)
{
	ev_init(&following->inventory, on_inventory);
	following->inventory.data = following;
	following->visitor.on_connection = on_living;
	following->visitor.on_end = on_survey_end;
	following->visitor.context = following;
}
