#include "acceptor/heir.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "acceptor/acceptor.h"
#include "acceptor/copies.h"
#include "acceptor/delivery.h"
#include "acceptor/following.h"
#include "acceptor/redelivery.h"
#include "acceptor/service.h"
#include "acceptor/service_log.h"
#include "acceptor/unknowns.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "policy/estate.h"
#include "wire/descriptor.h"

static const double patience_s = 1.0;

/* Messages handled in one turn of the loop. */
enum { BATCH = 64, ITEMS_MIN = 16 };

struct legacy {
	struct estate_message message;
	int fd; /* owned; -1: it has gone its way */
};

/* ---- one of them ----------------------------------------------------------------------------- */

/* NULL: there is none any more, or it is another. */
static struct service *service_of(struct acceptor *acceptor, const struct estate_message *message)
{
	struct service *service =
		message->service < acceptor->n_rows ? acceptor->services[message->service] : NULL;
	return service && service->estate_name == message->name ? service : NULL;
}

static struct ledger_entry describe(const struct service *service, const struct legacy *legacy)
{
	return (struct ledger_entry){
		.id = legacy->message.id,
		.accepted_ns = legacy->message.accepted_ns,
		.peer = endpoint_of_peer(legacy->fd),
		.local = endpoint_of_own_end(legacy->fd),
		.service = service->number,
	};
}

/*
 * The acceptor that took it may have died before it counted it. False: it has been counted as ended, too,
 * since it comes late.
 */
static bool identify(struct service *service, const struct legacy *legacy)
{
	const struct estate_message *message = &legacy->message;
	if (!message->is_uncounted)
		return unknowns_identify(service, message->state != ESTATE_SENT);
	/* As when it is accepted. */
	score_add(service->score->accepted, 1);
	traces_set_counted(service->acceptor->guard.traces, legacy->fd);
	score_count_rate(service->score, clock_now_ns());
	return true;
}

static void give_up(struct service *service, const struct legacy *legacy)
{
	const struct ledger_entry like = describe(service, legacy);
	char peer[ENDPOINT_TEXT_SIZE];
	log_error("%s: the connection of %s (id=%016llx) was in the hands of %d acceptors as they died: it "
		  "is closed",
		service_name(service),
		endpoint_format_client(peer, &like.peer, service_log_address(service)),
		(unsigned long long)like.id, ESTATE_DEATHS_MAX);
	identify(service, legacy);
	score_add(service->score->lost, 1);
}

/*
 * A copy: into the ledger, before all that we have handed off ourselves. LEDGER_NOWHERE: there is no
 * room for it.
 */
static uint32_t keep_copy(
	struct service *service, struct legacy *legacy, const struct slot_view *view, uint64_t now_ns)
{
	struct acceptor *acceptor = service->acceptor;
	struct admission *admission = &service->admission;
	struct ledger_entry like = describe(service, legacy);
	if (!service->redelivers || acceptor->n_copies >= acceptor->n_copies_max)
		return LEDGER_NOWHERE;
	like.source = admission_source(admission, &like.peer, now_ns);
	like.is_counted = !identify(service, legacy);
	uint32_t place = following_add(service, &like, now_ns);
	if (!place)
		return LEDGER_NOWHERE;
	admission_adopt(admission, like.source);
	ledger_wait_first(&acceptor->ledger, &service->traffic->account, place);
	copies_take_over(service, legacy->message.slot, place, &legacy->fd, view);
	copies_find(service, place)->n_deaths = legacy->message.n_workers;
	return place;
}

static void resume(struct service *service, struct legacy *legacy, bool is_admitted, uint64_t now_ns)
{
	struct ledger_entry like = describe(service, legacy);
	like.is_counted = !identify(service, legacy);
	traces_set(service->acceptor->guard.traces, legacy->fd, ESTATE_ARRIVED);
	delivery_resume(service, fd_take(&legacy->fd), &like, is_admitted, now_ns);
}

static void use(struct service *service, struct legacy *legacy, uint64_t now_ns)
{
	const struct estate_message *message = &legacy->message;
	struct slot_view view;
	bool has_slot = copies_look_inherited(service, message->slot, message->id, &view);
	uint32_t place;
	enum estate_use use = estate_use_of(message, has_slot ? &view : NULL);
	switch (use) {
	case ESTATE_USE_CLOSE:
		break;
	case ESTATE_USE_GIVE_UP:
		give_up(service, legacy);
		break;
	case ESTATE_USE_HOLD:
	case ESTATE_USE_DELIVER:
		resume(service, legacy, use == ESTATE_USE_DELIVER, now_ns);
		break;
	case ESTATE_USE_WATCH:
		keep_copy(service, legacy, &view, now_ns);
		break;
	case ESTATE_USE_SEND_AGAIN:
		place = keep_copy(service, legacy, &view, now_ns);
		if (place)
			redelivery_send_again(service, place);
		break;
	}
}

/* Of a worker that was as quick as we are, everything may be known already. */
static void use_one(struct acceptor *acceptor, struct legacy *legacy, uint64_t now_ns)
{
	const struct estate_message *message = &legacy->message;
	struct service *service = service_of(acceptor, message);
	if (!service)
		log_notice("connection %016llx was accepted for a service that is no more: it is closed",
			(unsigned long long)message->id);
	else if (!traffic_take(service))
		log_error("%s: connection %016llx is closed: out of memory", service_name(service),
			(unsigned long long)message->id);
	else if (!ledger_find(&acceptor->ledger, service->number, message->id))
		use(service, legacy, now_ns);
	fd_close(&legacy->fd);
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool is_copy(const struct estate_message *message)
{
	return message->state == ESTATE_SENDING || message->state == ESTATE_DUE ||
	       message->state == ESTATE_SENT;
}

/* Copies first, the latest one first since each goes to the front; then the rest by age. */
static int compare(const void *left, const void *right)
{
	const struct estate_message *a = &((const struct legacy *)left)->message;
	const struct estate_message *b = &((const struct legacy *)right)->message;
	if (is_copy(a) != is_copy(b))
		return is_copy(a) ? -1 : 1;
	if (is_copy(a))
		return a->order == b->order ? 0 : (int32_t)(a->order - b->order) > 0 ? -1 : 1;
	return (a->accepted_ns > b->accepted_ns) - (a->accepted_ns < b->accepted_ns);
}

static void settle(struct acceptor *acceptor, bool is_complete)
{
	struct heir *heir = &acceptor->heir;
	uint64_t now_ns = clock_now_ns();
	bool is_late = heir->is_settled;
	ev_timer_stop(acceptor->loop, &heir->timer);
	if (heir->n)
		qsort(heir->items, heir->n, sizeof *heir->items, compare);
	for (uint32_t i = 0; i < heir->n; i++)
		use_one(acceptor, &heir->items[i], now_ns);
	free(heir->items);
	heir->items = NULL;
	heir->n = heir->room = 0;
	heir->is_settled = true;
	for (uint32_t row = 0; row < acceptor->n_rows; row++)
		if (acceptor->services[row])
			service_settle_estate(
				acceptor->services[row], is_complete && !heir->has_dropped, is_late, now_ns);
}

/* Until it is its turn it is our guard's business, too. */
static void write_down(struct acceptor *acceptor, int fd, const struct estate_message *message)
{
	struct traces *traces = acceptor->guard.traces;
	enum estate_state state = (enum estate_state)message->state;
	const struct trace trace = {
		.id = message->id,
		.accepted_ns = message->accepted_ns,
		.order = message->order,
		.name = message->name,
		.service = (uint16_t)message->service,
		.slot = message->slot,
		/* We are not busy with it yet. */
		.state = state == ESTATE_ARRIVED ? ESTATE_HELD : state == ESTATE_SENDING ? ESTATE_DUE : state,
		.n_acceptors = message->n_acceptors,
		.n_workers = message->n_workers,
		.is_uncounted = message->is_uncounted,
	};
	traces_begin(traces, fd, &trace);
	if (traces && (int32_t)(message->order - traces->order) >= 0)
		traces->order = message->order + 1;
}

static bool make_room(struct heir *heir)
{
	if (heir->n < heir->room)
		return true;
	uint32_t room = heir->room ? heir->room * 2 : ITEMS_MIN;
	struct legacy *items = realloc(heir->items, room * sizeof *items);
	if (!items)
		return false;
	heir->items = items;
	heir->room = room;
	return true;
}

static void gather(struct acceptor *acceptor, const struct estate_message *message, int fd_given)
{
	struct heir *heir = &acceptor->heir;
	fd_auto int fd = fd_given;
	bool is_usable = fd >= 0 && message->version == ESTATE_VERSION && make_room(heir);
	if (!is_usable) {
		heir->has_dropped = true;
		return;
	}
	write_down(acceptor, fd, message);
	heir->items[heir->n++] = (struct legacy){ *message, fd_take(&fd) };
}

/* 1: go on. */
static int receive_one(struct acceptor *acceptor, bool *ret_is_end)
{
	struct estate_message content;
	int fd = -1;
	struct descriptor_message message = {
		.bytes = &content,
		.size = sizeof content,
		.fds = &fd,
		.max_fds = 1,
	};
	traces_take_for(acceptor->guard.traces, UINT32_MAX, 0);
	int r = descriptor_peek(acceptor->heir.in.fd, &message);
	if (r != 1)
		return r;
	if (message.length == sizeof content && content.kind == ESTATE_CONNECTION)
		gather(acceptor, &content, fd);
	else
		fd_close(&fd);
	/* Only now: should we be killed in between, it is still there, and our guard sees that. */
	(void)!recv(acceptor->heir.in.fd, &content, sizeof content, MSG_DONTWAIT);
	*ret_is_end |= message.length == sizeof content && content.kind == ESTATE_END;
	return 1;
}

/* 1: there may be more. */
static int receive_some(struct acceptor *acceptor)
{
	bool is_end = false;
	int r = 1;
	acceptor_close_reserve(acceptor);
	for (int i = 0; i < BATCH && r == 1; i++)
		r = receive_one(acceptor, &is_end);
	acceptor_open_reserve(acceptor);
	/* Whoever comes after an end is late. */
	if (is_end || (acceptor->heir.is_settled && acceptor->heir.n))
		settle(acceptor, is_end);
	return r;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)revents;
	int r = receive_some(io->data);
	if (r == 0 || (r < 0 && r != -EAGAIN))
		ev_io_stop(loop, io);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop, (void)revents;
	settle(timer->data, false);
}

void heir_init(struct acceptor *acceptor)
{
	struct heir *heir = &acceptor->heir;
	ev_io_init(&heir->in, on_readable, -1, EV_READ);
	ev_timer_init(&heir->timer, on_timer, patience_s, 0);
	heir->in.data = heir->timer.data = acceptor;
}

/* Whether an acceptor before us had anything that may come to us. */
static bool is_expecting(const struct acceptor *acceptor)
{
	bool is_expecting = false;
	for (uint32_t row = 0; row < acceptor->n_rows; row++) {
		const struct service *service = acceptor->services[row];
		is_expecting |= service && (service->traffic->n_missing || service->admission.unknown ||
						   service->traffic->copies->n_inherited);
	}
	return is_expecting;
}

void heir_open(struct acceptor *acceptor, int in_fd)
{
	struct heir *heir = &acceptor->heir;
	if (in_fd < 0) {
		settle(acceptor, false);
		return;
	}
	ev_io_stop(acceptor->loop, &heir->in);
	fd_close(&heir->in.fd);
	ev_io_set(&heir->in, in_fd, EV_READ);
	if (acceptor->guard.traces)
		atomic_store(&acceptor->guard.traces->in, in_fd);
	ev_io_start(acceptor->loop, &heir->in);
	/* Mostly the guard was quicker than we were. */
	while (receive_some(acceptor) == 1)
		;
	if (heir->is_settled)
		return;
	if (is_expecting(acceptor))
		ev_timer_start(acceptor->loop, &heir->timer);
	else
		settle(acceptor, false);
}

void heir_give_way(struct acceptor *acceptor)
{
	if (acceptor->loop)
		ev_io_stop(acceptor->loop, &acceptor->heir.in);
	acceptor->heir.in.fd = -1;
}

void heir_close(struct acceptor *acceptor)
{
	struct heir *heir = &acceptor->heir;
	ev_io_stop(acceptor->loop, &heir->in);
	ev_timer_stop(acceptor->loop, &heir->timer);
	fd_close(&heir->in.fd);
	for (uint32_t i = 0; i < heir->n; i++)
		fd_close(&heir->items[i].fd);
	free(heir->items);
}
