/*
 * The list of connections as JSON. It may be long: it is made a few hundred rows in a turn of the
 * loop, and sent so where the client takes an answer in pieces.
 */
#include "supervisor/verbs_connections.h"

#include <ev.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/server.h"
#include "base/clock.h"
#include "config/networks.h"
#include "supervisor/acceptor.h"
#include "supervisor/connections.h"
#include "supervisor/named.h"
#include "supervisor/service.h"
#include "supervisor/supervisor.h"

enum { ROWS_AT_ONCE = 400 };

/* Until a client has read what there was. */
static const double look_again_s = 0.002;

struct listing {
	struct supervisor *supervisor;
	struct admin_call *call;
	json_t *names; /* NULL: all */
	bool has_source;
	struct network source;
	struct connections *connections; /* NULL: they are being asked for */
	size_t part, row;                /* to go on at */
	json_t *array;
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

static const char *stage_name(const struct connection_row *row)
{
	static const char *const names[CONNECTION_STAGES] = {
		[CONNECTION_HELD] = "held",
		[CONNECTION_QUEUED] = "queued",
		[CONNECTION_TAKEN] = "taken",
		[CONNECTION_STARTED] = "started",
	};
	return row->stage < CONNECTION_STAGES ? names[row->stage] : NULL;
}

static const char *protocol_of(const struct connection_row *row)
{
	if (row->peer.family == AF_UNIX)
		return "unix";
	return row->peer.family == AF_INET6 ? "tcp6" : "tcp";
}

static void add_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new_nocheck(object, key, text ? json_string(text) : json_null());
}

static void add_number(json_t *object, const char *key, bool is_known, uint64_t number)
{
	json_object_set_new_nocheck(
		object, key, is_known ? json_integer((json_int_t)number) : json_null());
}

static json_t *make_row(
	const struct service *service, const struct connection_row *row, uint64_t now_ns)
{
	char id[20], local[ENDPOINT_TEXT_SIZE], peer[ENDPOINT_TEXT_SIZE];
	bool has_facts = row->flags & CONNECTION_HAS_FACTS, has_bytes = row->flags & CONNECTION_HAS_BYTES;
	uint64_t age_ms = row->accepted_ns < now_ns ? (now_ns - row->accepted_ns) / 1000000 : 0;
	json_t *object = json_object();
	snprintf(id, sizeof id, "%016llx", (unsigned long long)row->id);
	endpoint_format_client(peer, &row->peer, service->config->supervision->log_address);
	endpoint_format_local(local, &row->local);
	add_text(object, "id", id);
	add_text(object, "service", service->config->name);
	add_text(object, "protocol", protocol_of(row));
	add_number(object, "recv_q", has_facts, row->recv_q);
	add_number(object, "send_q", has_facts, row->send_q);
	add_text(object, "local", local);
	add_text(object, "peer", peer);
	add_text(object, "state", state_name(row));
	add_text(object, "stage", stage_name(row));
	add_number(object, "pid", row->pid > 0, (uint64_t)row->pid);
	add_number(object, "worker", row->worker > 0, (uint64_t)row->worker);
	add_number(object, "age_ms", true, age_ms);
	add_number(object, "idle_ms", has_facts, row->idle_ms);
	add_number(object, "rtt_us", has_facts, row->rtt_us);
	add_number(object, "bytes_in", has_bytes, row->bytes_in);
	add_number(object, "bytes_out", has_bytes, row->bytes_out);
	return object;
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
		if (service && is_wanted(listing, service, row))
			json_array_append_new(listing->array, make_row(service, row, now_ns));
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
	json_decref(listing->names);
	json_decref(listing->array);
	free(listing);
}

static json_t *take_array(struct listing *listing)
{
	json_t *reply = json_pack("{s:o, s:b}", "connections", listing->array, "complete",
		listing->connections->is_complete);
	listing->array = json_array();
	return reply;
}

static void go_on(struct listing *listing, double after_s)
{
	ev_timer_set(&listing->timer, after_s, 0);
	ev_timer_start(listing->supervisor->loop, &listing->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct listing *listing = timer->data;
	bool wants_more = admin_call_wants_more(listing->call);
	if (wants_more && admin_call_unsent(listing->call) > ADMIN_STREAM_UNSENT_MAX) {
		go_on(listing, look_again_s);
		return;
	}
	if (add_some(listing)) {
		if (wants_more)
			admin_reply_more(listing->call, take_array(listing));
		go_on(listing, 0);
		return;
	}
	struct admin_call *call = listing->call;
	json_t *reply = take_array(listing);
	destroy(listing);
	admin_reply(call, reply);
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
		go_on(listing, 0);
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
	listing->has_source = json_is_string(source) &&
			      network_parse(json_string_value(source), &listing->source, reason) == 0;
	if (!listing->has_source)
		admin_error(listing->call, "InvalidParameter", json_pack("{s:s}", "parameter", "source"));
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
	listing->array = json_array();
	listing->names = names;
	ev_init(&listing->timer, on_timer);
	listing->timer.data = listing;
	if (!read_source(listing, parameters)) {
		destroy(listing);
		return;
	}
	admin_call_on_gone(call, on_gone, listing);
	connections_ask(supervisor, on_ready, listing);
}
