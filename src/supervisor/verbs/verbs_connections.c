/*
 * The list of connections as JSON. It may be long: it is made a few hundred rows in a turn of the
 * loop, and sent so where the client takes an answer in pieces, the next when it has room for it.
 */
#include "supervisor/verbs/verbs_connections.h"

#include <ev.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/server.h"
#include "base/clock.h"
#include "config/networks.h"
#include "supervisor/acceptor.h"
#include "supervisor/connections.h"
#include "supervisor/holders.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/named.h"

/* Half of what a socket holds: while the client reads one piece, the next is made. */
enum { ROWS_AT_ONCE = 300 };

struct listing {
	struct supervisor *supervisor;
	struct admin_call *call;
	json_t *names; /* NULL: all */
	bool has_source;
	struct network source;
	struct connections *connections; /* NULL: they are being asked for */
	struct holders *holders;         /* of those that nobody has reported; or NULL */
	bool is_looking;                 /* for them */
	size_t part, row;                /* to go on at */
	struct json_text text; /* of the answer that is being made */
	ev_timer timer;
};

/* ---- one row --------------------------------------------------------------------------------- */

/* As netstat has them. */
static const char *state_name(const struct connection_row *row)
{
	static const char *const names[] = {
		[TCP_ESTABLISHED] = "ESTABLISHED",
		[TCP_FIN_WAIT1] = "FIN_WAIT1",
		[TCP_FIN_WAIT2] = "FIN_WAIT2",
		[TCP_CLOSE] = "CLOSE",
		[TCP_CLOSE_WAIT] = "CLOSE_WAIT",
		[TCP_LAST_ACK] = "LAST_ACK",
		[TCP_CLOSING] = "CLOSING",
	};
	if (row->peer.family == AF_UNIX)
		return "CONNECTED";
	/* The kernel was asked and does not list it: the client has reset it. */
	if (!(row->flags & CONNECTION_HAS_FACTS))
		return row->flags & CONNECTION_IS_FOLLOWED ? "CLOSE" : NULL;
	return row->state < sizeof names / sizeof *names ? names[row->state] : NULL;
}

static const char *stage_name(uint8_t stage)
{
	static const char *const names[CONNECTION_STAGES] = {
		[CONNECTION_HELD] = "held",
		[CONNECTION_QUEUED] = "queued",
		[CONNECTION_TAKEN] = "taken",
		[CONNECTION_STARTED] = "started",
	};
	return stage < CONNECTION_STAGES ? names[stage] : NULL;
}

static const char *protocol_of(const struct connection_row *row)
{
	if (row->peer.family == AF_UNIX)
		return "unix";
	return row->peer.family == AF_INET6 ? "tcp6" : "tcp";
}

static void add_text(struct json_text *text, const char *name, const char *value)
{
	json_text_name(text, name);
	json_text_string(text, value);
}

static void add_number(struct json_text *text, const char *name, bool is_known, uint64_t number)
{
	json_text_name(text, name);
	if (is_known)
		json_text_number(text, number);
	else
		json_text_null(text);
}

/* What a worker has without a word, as far as it was found. */
static struct connection_row completed(const struct listing *listing, const struct connection_row *row)
{
	struct connection_row whole = *row;
	struct holder holder;
	if (!holders_of(listing->holders, listing->part, row, &holder))
		return whole;
	whole.worker = holder.worker;
	whole.pid = row->pid ? row->pid : holder.pid;
	if (row->stage == CONNECTION_QUEUED)
		whole.stage = CONNECTION_TAKEN;
	return whole;
}

static void add_row(struct json_text *text, const struct service *service,
	const struct connection_row *row, uint64_t now_ns)
{
	char id[20], local[ENDPOINT_TEXT_SIZE], peer[ENDPOINT_TEXT_SIZE];
	bool has_facts = row->flags & CONNECTION_HAS_FACTS, has_bytes = row->flags & CONNECTION_HAS_BYTES;
	uint64_t age_ms = row->accepted_ns < now_ns ? (now_ns - row->accepted_ns) / 1000000 : 0;
	snprintf(id, sizeof id, "%016llx", (unsigned long long)row->id);
	endpoint_format_client(peer, &row->peer, service->config->supervision->log_address);
	endpoint_format_local(local, &row->local);
	json_text_bracket(text, '{');
	add_text(text, "id", id);
	add_text(text, "service", service->config->name);
	add_text(text, "protocol", protocol_of(row));
	add_number(text, "recv_q", has_facts, row->recv_q);
	add_number(text, "send_q", has_facts, row->send_q);
	add_text(text, "local", local);
	add_text(text, "peer", peer);
	add_text(text, "state", state_name(row));
	add_text(text, "stage", stage_name(row->stage));
	add_number(text, "pid", row->pid > 0, (uint64_t)row->pid);
	add_number(text, "worker", row->worker > 0, (uint64_t)row->worker);
	add_number(text, "age_ms", true, age_ms);
	add_number(text, "idle_ms", has_facts, row->idle_ms);
	add_number(text, "rtt_us", has_facts, row->rtt_us);
	add_number(text, "bytes_in", has_bytes, row->bytes_in);
	add_number(text, "bytes_out", has_bytes, row->bytes_out);
	json_text_bracket(text, '}');
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* By row of the scoreboard of an acceptor; services come and go between two turns. */
static void map_services(const struct supervisor *supervisor, const struct acceptor *acceptor,
	const struct service *map[SCOREBOARD_SLOTS])
{
	for (size_t i = 0; i < SCOREBOARD_SLOTS; i++)
		map[i] = NULL;
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (supervisor->services[i]->acceptor == acceptor &&
			supervisor->services[i]->slot < SCOREBOARD_SLOTS)
			map[supervisor->services[i]->slot] = supervisor->services[i];
}

/* An address that is not shown is not found either. */
static bool is_wanted(const struct listing *listing, const struct service *service,
	const struct connection_row *row)
{
	if (!is_asked_for(listing->names, service->config->name))
		return false;
	return !listing->has_source ||
	       (service->config->supervision->log_address == LOG_ADDRESS_FULL &&
		       network_contains(&listing->source, &row->peer));
}

/* False: there are no more. */
static bool add_some(struct listing *listing)
{
	static const struct service *map[SCOREBOARD_SLOTS];
	const struct connections *connections = listing->connections;
	uint64_t now_ns = clock_now_ns();
	if (listing->part >= connections->n_parts)
		return false;
	const struct connections_part *part = &connections->parts[listing->part];
	map_services(listing->supervisor, part->acceptor, map);
	for (int i = 0; i < ROWS_AT_ONCE && listing->row < part->n; i++, listing->row++) {
		const struct connection_row *row = &part->rows[listing->row];
		const struct service *service =
			row->service < SCOREBOARD_SLOTS ? map[row->service] : NULL;
		if (!service || !is_wanted(listing, service, row))
			continue;
		struct connection_row whole = completed(listing, row);
		add_row(&listing->text, service, &whole, now_ns);
	}
	if (listing->row >= part->n) {
		listing->part++;
		listing->row = 0;
	}
	return listing->part < connections->n_parts;
}

static void destroy(struct listing *listing)
{
	ev_timer_stop(listing->supervisor->loop, &listing->timer);
	connections_forget(listing->supervisor, listing);
	connections_release(listing->connections);
	holders_free(listing->holders);
	json_decref(listing->names);
	json_text_fini(&listing->text);
	free(listing);
}

static void begin_text(struct listing *listing)
{
	json_text_clear(&listing->text);
	json_text_bracket(&listing->text, '{');
	json_text_name(&listing->text, "connections");
	json_text_bracket(&listing->text, '[');
}

static void end_text(struct listing *listing)
{
	json_text_bracket(&listing->text, ']');
	json_text_name(&listing->text, "complete");
	json_text_boolean(&listing->text, listing->connections->is_complete);
	json_text_bracket(&listing->text, '}');
}

/* The call goes on: when the client has room if it takes pieces, and else in the next turn. */
static void go_on(struct listing *listing)
{
	if (admin_call_wants_more(listing->call)) {
		end_text(listing);
		bool is_sent = admin_reply_more_text(listing->call, &listing->text);
		begin_text(listing);
		if (is_sent)
			return;
	}
	ev_timer_set(&listing->timer, 0, 0);
	ev_timer_start(listing->supervisor->loop, &listing->timer);
}

static void take_turn(struct listing *listing)
{
	if (add_some(listing)) {
		go_on(listing);
		return;
	}
	struct admin_call *call = listing->call;
	end_text(listing);
	struct json_text text = listing->text;
	listing->text = (struct json_text){ 0 };
	destroy(listing);
	admin_reply_text(call, &text);
	json_text_fini(&text);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)events;
	struct listing *listing = timer->data;
	if (listing->is_looking && holders_step(listing->holders)) {
		ev_timer_set(timer, 0, 0);
		ev_timer_start(loop, timer);
		return;
	}
	listing->is_looking = false;
	take_turn(listing);
}

static bool is_listed(const void *context, const struct service *service)
{
	const struct listing *listing = context;
	return is_asked_for(listing->names, service->config->name);
}

static void on_sent(void *data)
{
	struct listing *listing = data;
	if (listing->connections && !ev_is_active(&listing->timer))
		take_turn(listing);
}

static void on_gone(void *data)
{
	struct listing *listing = data;
	struct admin_call *call = listing->call;
	destroy(listing);
	admin_reply(call, NULL);
}

static void on_ready(void *context, struct connections *connections)
{
	struct listing *listing = context;
	listing->connections = connections;
	if (connections) {
		listing->holders =
			holders_begin(listing->supervisor, connections, is_listed, listing);
		listing->is_looking = listing->holders != NULL;
		begin_text(listing);
		ev_timer_set(&listing->timer, 0, 0);
		ev_timer_start(listing->supervisor->loop, &listing->timer);
		return;
	}
	struct admin_call *call = listing->call;
	destroy(listing);
	admin_error(call, "org.fdsup.Failed", json_pack("{s:s}", "reason",
						      "the acceptors cannot be asked now"));
}

/* False: the call was answered with an error. */
static bool read_source(struct listing *listing, const json_t *parameters)
{
	const json_t *source = json_object_get(parameters, "source");
	char reason[NETWORK_REASON_SIZE];
	if (!source || json_is_null(source))
		return true;
	if (!json_is_string(source)) {
		admin_error(listing->call, "InvalidParameter", json_pack("{s:s}", "parameter", "source"));
		return false;
	}
	listing->has_source =
		network_parse(json_string_value(source), &listing->source, reason) == 0;
	if (!listing->has_source)
		admin_error(listing->call, "org.fdsup.Failed",
			json_pack("{s:o}", "reason", json_sprintf("source: %s", reason)));
	return listing->has_source;
}

void on_connections(void *context, struct admin_call *call, const json_t *parameters)
{
	struct supervisor *supervisor = context;
	json_t *names;
	if (!named_services(supervisor, call, parameters, true, &names))
		return;
	struct listing *listing = calloc(1, sizeof *listing);
	if (!listing) {
		json_decref(names);
		admin_error(call, "org.fdsup.Failed", json_pack("{s:s}", "reason", "out of memory"));
		return;
	}
	listing->supervisor = supervisor;
	listing->call = call;
	listing->names = names;
	ev_init(&listing->timer, on_timer);
	listing->timer.data = listing;
	if (!read_source(listing, parameters)) {
		destroy(listing);
		return;
	}
	admin_call_on_gone(call, on_gone, listing);
	admin_call_on_sent(call, on_sent);
	connections_ask(supervisor, on_ready, listing);
}
