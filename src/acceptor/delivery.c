#include "acceptor/delivery.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "acceptor/acceptor.h"
#include "acceptor/access.h"
#include "acceptor/bequest.h"
#include "acceptor/following.h"
#include "acceptor/held.h"
#include "acceptor/service_log.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "wire/handoff.h"

enum { RETRY_MIN_MS = 2, RETRY_MAX_MS = 50 };

/*
 * A client should see an orderly end, not a reset, unless `reset` is asked for. The kernel resets a
 * connection that is closed with unread data, so what has come is thrown away first.
 */
static void close_visibly(struct service *service, int *connection)
{
	static char unread[64 * 1024]; /* with MSG_TRUNC, TCP writes nothing into it: tcp(7) */
	if (service->admission.limits->overflow == OVERFLOW_RESET) {
		struct linger now = { .l_onoff = 1, .l_linger = 0 };
		setsockopt(*connection, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	} else {
		shutdown(*connection, SHUT_WR);
		(void)!recv(*connection, unread, sizeof unread, MSG_TRUNC | MSG_DONTWAIT);
	}
	fd_close(connection);
}

enum episode_kind delivery_episode(enum admission_limit limit)
{
	switch (limit) {
	case ADMISSION_RATE:
		return EPISODE_RATE;
	case ADMISSION_MAX_PER_SOURCE:
		return EPISODE_MAX_PER_SOURCE;
	case ADMISSION_RATE_PER_SOURCE:
		return EPISODE_RATE_PER_SOURCE;
	case ADMISSION_MAX_CONNECTIONS:
	case ADMISSION_WITHIN:
		break;
	}
	return EPISODE_MAX_CONNECTIONS;
}

void delivery_refuse(struct service *service, int *connection, const struct ledger_entry *entry,
	const char *reason, uint64_t now_ns)
{
	if (service->access && service->admission.limits->overflow != OVERFLOW_RESET)
		access_say(&service->access->refuse_message, *connection);
	traces_set(service->acceptor->guard.traces, *connection, ESTATE_OVER);
	close_visibly(service, connection);
	if (!entry->is_counted)
		score_add(service->score->refused, 1);
	score_set(service->score->refused_rule, score_rule_of(reason));
	score_set(service->score->refused_ns, now_ns);
	service_log_refused(service, entry, reason, now_ns);
}

static void plan_retry(struct service *service, uint64_t now_ns)
{
	uint32_t delay_ms = service->traffic->retry_ms ? service->traffic->retry_ms : RETRY_MIN_MS;
	service->traffic->retry_ns = now_ns + (uint64_t)delay_ms * 1000000;
	service->traffic->retry_ms = delay_ms * 2 < RETRY_MAX_MS ? delay_ms * 2 : RETRY_MAX_MS;
}

static void keep_in_hand(struct service *service, int *connection, uint32_t place, uint64_t now_ns)
{
	traces_set(service->acceptor->guard.traces, *connection, ESTATE_ADMITTED);
	service->traffic->in_hand = (struct in_hand){ .fd = fd_take(connection), .place = place };
	plan_retry(service, now_ns);
}

static int send_to_queue(struct service *service, int connection, uint32_t place)
{
	const struct ledger_entry *entry = ledger_at(&service->acceptor->ledger, place);
	struct handoff record = {
		.version = HANDOFF_VERSION,
		.length = sizeof record,
		.connection = entry->id,
		.accepted_ns = entry->accepted_ns,
		.peer = entry->peer,
		.local = entry->local,
	};
	struct traces *traces = service->acceptor->guard.traces;
	copies_offer(service, place, &record);
	traces_send(traces, connection, copies_will_keep(service, place) ? record.slot : 0);
	int r = handoff_send(service->traffic->queue_io.fd, &record, connection);
	if (r < 0)
		traces_set(traces, connection,
			copies_withdraw(service, place) ? ESTATE_ADMITTED : ESTATE_DUE);
	return r;
}

/*
 * Hands off a connection that is admitted. Whatever the error, it is kept and tried again: a queue
 * that is broken for good is one whose supervisor is gone, and then we end as well.
 */
static void deliver(struct service *service, int *connection, uint32_t place, uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	struct ledger_entry *entry = ledger_at(ledger, place);
	if (!service_has_queue(service)) {
		service_ask_queue(service, now_ns);
		keep_in_hand(service, connection, place, now_ns);
		return;
	}
	bool is_behind_others = service->traffic->copies->n_due > 0;
	int r = is_behind_others ? -EAGAIN : send_to_queue(service, *connection, place);
	if (r < 0) {
		if (r != -EAGAIN && r != -ETOOMANYREFS && !service->traffic->retry_ms)
			log_error("%s: a connection cannot be handed off: %s; trying again",
				service_name(service), strerror(-r));
		keep_in_hand(service, connection, place, now_ns);
		return;
	}
	copies_keep(service, place, connection);
	service->traffic->retry_ms = 0;
	entry->handed_after_ms = (uint32_t)((now_ns - entry->accepted_ns) / 1000000);
	ledger_set_state(ledger, &service->traffic->account, place, LEDGER_WAITING);
	score_add(service->score->handed, 1);
}

static bool is_overloaded(
	struct service *service, const struct ledger_entry *like, uint64_t now_ns)
{
	uint32_t max_centi = service->access->max_load_centi;
	if (!max_centi || load_now_centi(&service->acceptor->load, now_ns) <= max_centi)
		return false;
	service_log_episode(service, EPISODE_MAX_LOAD, like, 0, now_ns);
	episode_refused(&service->traffic->episodes, EPISODE_MAX_LOAD);
	return true;
}

/* The key that keeps this client out; NULL: none. */
static const char *key_against(
	struct service *service, const struct ledger_entry *like, uint64_t now_ns)
{
	const struct access *access = service->access;
	enum access_verdict verdict = access_judge(&access->rules, &like->peer);
	if (verdict != ACCESS_GRANTED)
		return access_key(verdict);
	if (access->n_windows && !hours_are_open(access->windows, access->n_windows,
					&service->acceptor->zone, clock_wall_ms() / 1000))
		return "hours";
	return is_overloaded(service, like, now_ns) ? "max_load" : NULL;
}

/* Before anything else is done for the client: no table grows for those who are not to come in. */
static bool shut_out(
	struct service *service, int *connection, const struct ledger_entry *like, uint64_t now_ns)
{
	const char *key = service->access ? key_against(service, like, now_ns) : NULL;
	if (key)
		delivery_refuse(service, connection, like, key, now_ns);
	return key != NULL;
}

void delivery_admit(struct service *service, int *connection, uint32_t place, bool is_greeted,
	uint64_t now_ns)
{
	if (service->access && !is_greeted) {
		traces_set(service->acceptor->guard.traces, *connection, ESTATE_ADMITTED);
		access_say(&service->access->banner, *connection);
	}
	deliver(service, connection, place, now_ns);
}

void delivery_accept(
	struct service *service, int connection, struct ledger_entry *like, uint64_t now_ns)
{
	struct admission *admission = &service->admission;
	/* Side by side, for between the two of them we must not die. */
	score_add(service->score->accepted, 1);
	traces_set_counted(service->acceptor->guard.traces, connection);
	score_count_rate(service->score, now_ns);
	if (shut_out(service, &connection, like, now_ns))
		return;
	like->source = admission_source(admission, &like->peer, now_ns);
	struct admission_answer answer = admission_arrive(admission, like->source, now_ns);
	if (answer.limit != ADMISSION_WITHIN)
		service_log_episode(service, delivery_episode(answer.limit), like, 0, now_ns);
	if (answer.verdict == ADMISSION_REFUSE) {
		episode_refused(&service->traffic->episodes, delivery_episode(answer.limit));
		delivery_refuse(service, &connection, like, admission_limit_key(answer.limit), now_ns);
		return;
	}
	/* The caller has made sure of room. */
	uint32_t place = following_add(service, like, now_ns);
	if (answer.verdict == ADMISSION_HOLD_NEWEST)
		held_drop_oldest(service, like->source, now_ns);
	if (answer.verdict == ADMISSION_ADMIT)
		delivery_admit(service, &connection, place, false, now_ns);
	else
		held_add(service, connection, place, answer.limit, now_ns);
}

void delivery_resume(struct service *service, int connection, struct ledger_entry *like,
	bool is_admitted, uint64_t now_ns)
{
	struct admission *admission = &service->admission;
	if (!is_admitted && shut_out(service, &connection, like, now_ns))
		return;
	like->source = admission_source(admission, &like->peer, now_ns);
	uint32_t place = following_add(service, like, now_ns);
	if (!place) {
		delivery_refuse(service, &connection, like, "memory", now_ns);
		return;
	}
	admission_hold(admission, like->source);
	held_resume(service, connection, place, is_admitted, now_ns);
}

/* Those that a worker had when it died, before all others. False: there is no room for one of them. */
static bool redeliver(struct service *service, uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	uint32_t place;
	int fd;
	while ((fd = copies_next_due(service, &place)) >= 0) {
		if (!service_has_queue(service) || send_to_queue(service, fd, place) < 0)
			return false;
		struct ledger_entry *entry = ledger_at(ledger, place);
		entry->handed_after_ms = (uint32_t)((now_ns - entry->accepted_ns) / 1000000);
		ledger_set_state(ledger, &service->traffic->account, place, LEDGER_WAITING);
		copies_sent(service, place);
	}
	return true;
}

void delivery_retry(struct service *service, bool is_urgent, uint64_t now_ns)
{
	bool is_waiting = service->traffic->in_hand.fd >= 0 || service->traffic->copies->n_due;
	if (!is_waiting || (!is_urgent && now_ns < service->traffic->retry_ns))
		return;
	service->traffic->retry_ns = NEVER_NS;
	if (!redeliver(service, now_ns)) {
		plan_retry(service, now_ns);
		return;
	}
	if (service->traffic->in_hand.fd < 0)
		return;
	struct in_hand in_hand = service->traffic->in_hand;
	service->traffic->in_hand.fd = -1;
	deliver(service, &in_hand.fd, in_hand.place, now_ns);
	if (service->traffic->in_hand.fd < 0 && service->first_held)
		service->may_release = true; /* they had to wait behind it */
}

static void finish_one(
	struct service *service, int *connection, uint32_t place, bool may_send, uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	struct ledger_entry *entry = ledger_at(ledger, place);
	if (bequest_has_left(service->acceptor->guard.traces, *connection)) {
		fd_close(connection);
		return;
	}
	if (may_send && send_to_queue(service, *connection, place) == 0) {
		copies_keep(service, place, connection);
		score_add(service->score->handed, 1);
		ledger_set_state(ledger, &service->traffic->account, place, LEDGER_WAITING);
		return;
	}
	delivery_refuse(service, connection, entry, "stopped", now_ns);
	ledger_remove(ledger, &service->traffic->account, place);
}

void delivery_finish(struct service *service, bool may_send, uint64_t now_ns)
{
	if (may_send && !service->acceptor->has_left)
		redeliver(service, now_ns);
	struct in_hand *in_hand = &service->traffic->in_hand;
	if (in_hand->fd >= 0)
		finish_one(service, &in_hand->fd, in_hand->place, may_send, now_ns);
	uint32_t place;
	int fd;
	while ((fd = held_take(service, &place)) >= 0) {
		if (may_send && service->access)
			access_say(&service->access->banner, fd);
		finish_one(service, &fd, place, may_send, now_ns);
	}
}
