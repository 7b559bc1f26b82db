#include "relay/relay.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "net/untouched.h"
#include "wire/descriptor.h"

enum { ROOM_FOR_ONE = 1, DELAY_MIN_MS = 20, DELAY_MAX_MS = 1000 };

struct passed {
	struct taken taken; /* first: it is found by it */
	struct passed *next; /* list: of struct relay */
	int connection;      /* owned */
	unsigned n_tries;
};

static struct relay *relay_of(struct taker *taker)
{
	return (struct relay *)taker;
}

/* ---- the list -------------------------------------------------------------------------------- */

static void append(struct relay *relay, struct passed *passed)
{
	*(relay->last ? &relay->last->next : &relay->first) = passed;
	relay->last = passed;
}

/* Its connection is the worker's, or nobody's any more. */
static void end_first(struct relay *relay, int status)
{
	struct passed *passed = relay->first;
	const struct ending ending = { .status = status };
	relay->first = passed->next;
	if (!relay->first)
		relay->last = NULL;
	fd_close(&passed->connection);
	taker_ended(&relay->taker, &passed->taken, &ending);
	free(passed);
}

static struct passed *first_unsent(const struct relay *relay)
{
	struct passed *passed = relay->first;
	for (size_t i = 0; i < relay->n_sent; i++)
		passed = passed->next;
	return passed;
}

/* ---- no worker ------------------------------------------------------------------------------- */

static void hold_back(struct relay *relay)
{
	taker_hold_back(&relay->taker,
		relay->socket < 0 || relay->taker.n_taken >= RELAY_UNDER_WAY_MAX);
}

static void plan_reconnect(struct relay *relay)
{
	uint64_t next_ms = relay->delay_ms * 2;
	ev_timer_stop(relay->taker.loop, &relay->reconnect);
	ev_timer_set(&relay->reconnect, (double)relay->delay_ms / 1000, 0);
	ev_timer_start(relay->taker.loop, &relay->reconnect);
	relay->delay_ms = next_ms < DELAY_MAX_MS ? next_ms : DELAY_MAX_MS;
}

/* Once, and again when it fails for another reason. */
static void tell_failure(struct relay *relay, const char *reason)
{
	bool is_new = trouble_failed(&relay->trouble, clock_now_ms());
	bool is_other = strcmp(reason, relay->told) != 0;
	snprintf(relay->told, sizeof relay->told, "%s", reason);
	if (is_new || is_other)
		log_error("cannot connect to the worker on %s: %s; clients wait in the queue, trying "
			  "again",
			relay->options->peer.text, reason);
}

static void tell_success(struct relay *relay)
{
	char lasted[TEXT_DURATION_SIZE];
	size_t n_failed;
	uint64_t lasted_ms;
	if (trouble_succeeded(&relay->trouble, clock_now_ms(), &n_failed, &lasted_ms))
		log_notice("connected to the worker on %s again after %s", relay->options->peer.text,
			text_format_duration(lasted, lasted_ms));
}

/* The worker is gone without having received it. False: nobody else can have it. */
static bool may_try_again(const struct relay *relay, const struct passed *passed)
{
	bool is_untouched = connection_is_untouched(passed->connection);
	if (is_untouched && passed->n_tries < RELAY_TRIES_MAX)
		return true;
	/* By its id alone: how much of the client's address may be shown, the acceptor's lines know. */
	log_error("connection %016" PRIx64 " is lost: the worker on %s went %s",
		passed->taken.record.connection, relay->options->peer.text,
		is_untouched ? "with it, as those before it" : "after it had begun to serve it");
	return false;
}

static void sort_out_sent(struct relay *relay)
{
	struct passed *all = relay->first;
	relay->first = relay->last = NULL;
	relay->n_sent = 0;
	while (all) {
		struct passed *passed = all;
		all = passed->next;
		passed->next = NULL;
		if (passed->n_tries == 0 || may_try_again(relay, passed)) {
			taker_regain(&relay->taker, &passed->taken);
			append(relay, passed);
			continue;
		}
		struct ending ending = { .status = SIGKILL };
		fd_close(&passed->connection);
		taker_ended(&relay->taker, &passed->taken, &ending);
		free(passed);
	}
}

static void on_gone(struct relay *relay, const char *what)
{
	ev_io_stop(relay->taker.loop, &relay->hangup);
	ev_timer_stop(relay->taker.loop, &relay->patience);
	relay->is_hung = false;
	fd_close(&relay->socket);
	sort_out_sent(relay);
	hold_back(relay);
	tell_failure(relay, what);
	relay->delay_ms = DELAY_MIN_MS;
	plan_reconnect(relay);
}

static bool is_draining(const struct relay *relay)
{
	return relay->taker.mode != TAKER_SERVING || relay->taker.is_over;
}

/* Whoever replaces us may have another worker: this one need not come back. */
static bool is_given_up(struct relay *relay)
{
	if (!is_draining(relay) || !relay->first)
		return false;
	if (!relay->draining_ms)
		relay->draining_ms = clock_now_ms();
	return clock_now_ms() - relay->draining_ms >= RELAY_DRAIN_MS;
}

static void give_up(struct relay *relay)
{
	log_error("the worker on %s has not come back: %zu connections that it had not received are closed",
		relay->options->peer.text, relay->taker.n_taken);
	relay->n_sent = 0;
	while (relay->first)
		end_first(relay, SIGTERM);
}

/* ---- a worker -------------------------------------------------------------------------------- */

/*
 * Forgets what was received. First the count, then the look whether the worker is alive: in this
 * order the count is true (receipts.h).
 */
static void collect(struct relay *relay)
{
	int n_missing = receipts_missing(&relay->receipts, relay->socket);
	if (n_missing < 0 || peer_is_gone(relay->socket)) {
		on_gone(relay, "it is gone");
		return;
	}
	if (relay->n_sent > (size_t)n_missing && relay->is_hung) {
		log_notice("the worker on %s receives connections again", relay->options->peer.text);
		relay->is_hung = false;
	}
	for (; relay->n_sent > (size_t)n_missing; relay->n_sent--)
		end_first(relay, 0);
	hold_back(relay);
}

static void send_all(struct relay *relay)
{
	struct passed *passed = first_unsent(relay);
	for (; passed; passed = passed->next) {
		taker_pass_on(&passed->taken);
		int r = descriptor_send(relay->socket, "", 1, &passed->connection, 1);
		if (r < 0)
			taker_regain(&relay->taker, &passed->taken);
		if (r == -EAGAIN || r == -ETOOMANYREFS)
			return; /* a receipt says when to go on */
		if (r < 0) {
			on_gone(relay, strerror(-r));
			return;
		}
		passed->n_tries++;
		relay->n_sent++;
	}
}

/* Counts anew with each receipt. */
static void watch_patience(struct relay *relay)
{
	ev_timer_stop(relay->taker.loop, &relay->patience);
	if (relay->n_sent == 0 || relay->socket < 0)
		return;
	ev_timer_set(&relay->patience, RELAY_PATIENCE_MS / 1000.0, 0);
	ev_timer_start(relay->taker.loop, &relay->patience);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct relay *relay = timer->data;
	if (!relay->is_hung)
		log_error("the worker on %s is there and has received nothing for %d s: %zu connections are in "
			  "its socket, others wait in the queue; does it hang, or is it stopped?",
			relay->options->peer.text, RELAY_PATIENCE_MS / 1000, relay->n_sent);
	relay->is_hung = true;
}

static void on_received(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop, (void)events;
	struct relay *relay = io->data;
	receipts_clear(&relay->receipts);
	if (relay->socket >= 0)
		collect(relay);
	if (relay->socket >= 0)
		send_all(relay);
	watch_patience(relay);
}

static void on_hangup(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop, (void)events;
	struct relay *relay = io->data;
	if (peer_is_gone(relay->socket))
		on_gone(relay, "it has closed the connection");
}

static void connect_worker(struct relay *relay)
{
	char reason[PEER_REASON_SIZE];
	int fd = peer_connect(&relay->options->peer, reason);
	if (fd >= 0 && receipts_watch(&relay->receipts, fd) < 0) {
		snprintf(reason, sizeof reason, "%s", strerror(errno));
		fd_close(&fd);
	}
	/* Not idle as long as somebody waits. */
	if (handoff_queue_depth(relay->taker.settings.queue_fd) > 0)
		taker_touch(&relay->taker);
	if (fd < 0) {
		tell_failure(relay, reason);
		if (is_given_up(relay))
			give_up(relay);
		plan_reconnect(relay);
		return;
	}
	tell_success(relay);
	relay->socket = fd;
	relay->delay_ms = DELAY_MIN_MS;
	ev_io_set(&relay->hangup, fd, EV_READ);
	ev_io_start(relay->taker.loop, &relay->hangup);
	send_all(relay);
	watch_patience(relay);
	hold_back(relay);
}

static void on_reconnect(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	connect_worker(timer->data);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void take(struct taker *taker, const struct handoff *record, int connection, void *memory)
{
	struct relay *relay = relay_of(taker);
	struct passed *passed = memory;
	passed->connection = connection;
	append(relay, passed);
	taker_took(taker, &passed->taken, record);
	if (relay->socket >= 0)
		send_all(relay);
	if (!ev_is_active(&relay->patience))
		watch_patience(relay);
	hold_back(relay);
}

/* What was sent, the worker still finds in its socket. */
static void stop(struct taker *taker)
{
	struct relay *relay = relay_of(taker);
	for (; relay->n_sent > 0; relay->n_sent--)
		end_first(relay, 0);
	while (relay->first)
		end_first(relay, SIGTERM);
}

static void start_watchers(struct relay *relay)
{
	ev_init(&relay->hangup, on_hangup);
	ev_init(&relay->reconnect, on_reconnect);
	ev_init(&relay->patience, on_patience);
	relay->patience.data = relay;
	ev_io_init(&relay->received, on_received, relay->receipts.events, EV_READ);
	relay->hangup.data = relay->reconnect.data = relay->received.data = relay;
	ev_io_start(relay->taker.loop, &relay->received);
}

int relay_run(const struct options *options)
{
	static const struct taker_methods methods = { .take = take, .stop = stop };
	const struct taker_settings settings = {
		.queue_fd = options->common.queue_fd,
		.slots_fd = options->common.slots_fd,
		.n_room = ROOM_FOR_ONE,
		.n_memory = sizeof(struct passed),
		.idle_exit_ms = options->common.idle_exit_ms,
		.is_passed_on = true,
	};
	struct relay relay = { .options = options, .socket = -1, .delay_ms = DELAY_MIN_MS };
	int r = taker_open(&relay.taker, &methods, &settings);
	if (r < 0)
		return r;
	r = receipts_open(&relay.receipts);
	if (r < 0) {
		log_error("cannot watch for receipts: %s", strerror(-r));
		taker_close(&relay.taker);
		return 1;
	}
	start_watchers(&relay);
	connect_worker(&relay);
	hold_back(&relay);
	taker_run(&relay.taker);
	fd_close(&relay.socket);
	receipts_close(&relay.receipts);
	taker_close(&relay.taker);
	return 0;
}
