/*
 * One call: from the text of a request to the verb that answers it, and from the answer back to
 * text. The order of the checks is fixed: shape of the request, role of the caller, existence of
 * the method; the parameters are the verb's business and come last.
 */
#include "admin/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/text.h"

/* As JSON it takes ten times what it does as text. */
enum { LONG_ANSWER = 64 * 1024 };

/* Borrowed from the message that was parsed. */
struct request {
	const char *method;
	const json_t *parameters;
	bool wants_more, is_oneway, wants_upgrade;
};

/* Of a verb that was asked for; `verb` is NULL where there is none. */
struct target {
	const struct admin_interface *interface;
	const struct admin_verb *verb;
};

/* A flag may be absent; what is neither true nor false is no Varlink. */
static bool read_flag(const json_t *message, const char *name, bool *ret)
{
	const json_t *flag = json_object_get(message, name);
	*ret = json_is_true(flag);
	return !flag || json_is_boolean(flag);
}

static bool read_request(const json_t *message, struct request *ret)
{
	ret->method = json_string_value(json_object_get(message, "method"));
	ret->parameters = json_object_get(message, "parameters");
	if (json_is_null(ret->parameters))
		ret->parameters = NULL;
	return ret->method && (!ret->parameters || json_is_object(ret->parameters)) &&
	       read_flag(message, "more", &ret->wants_more) &&
	       read_flag(message, "oneway", &ret->is_oneway) &&
	       read_flag(message, "upgrade", &ret->wants_upgrade);
}

static bool is_in_interface(const char *method, const char *interface)
{
	const char *dot = strrchr(method, '.');
	size_t length = strlen(interface);
	return dot && (size_t)(dot - method) == length && !strncmp(method, interface, length);
}

static struct target find_target(const struct admin_server *server, const char *method)
{
	const struct admin_interface *interfaces[] = { server->interface, &server->service };
	struct target target = { 0 };
	for (size_t i = 0; i < 2 && !target.interface; i++)
		if (is_in_interface(method, interfaces[i]->name))
			target.interface = interfaces[i];
	if (!target.interface)
		return target;
	const char *name = strrchr(method, '.') + 1;
	for (size_t i = 0; i < target.interface->n_verbs && !target.verb; i++)
		if (!strcmp(name, target.interface->verbs[i].method))
			target.verb = &target.interface->verbs[i];
	return target;
}

static struct admin_call *call_create(struct admin_client *client, const struct request *request)
{
	struct admin_server *server = client->server;
	struct admin_call *call = malloc(sizeof *call);
	if (!call)
		return NULL;
	*call = (struct admin_call){
		.server = server,
		.client = client,
		.peer = client->peer,
		.wants_more = request->wants_more,
		.is_oneway = request->is_oneway,
		.next = server->calls,
	};
	if (server->calls)
		server->calls->previous = call;
	server->calls = call;
	server->n_calls++;
	client->call = call;
	return call;
}

struct admin_call *call_carry_on(struct admin_client *client, const struct admin_carried *carried)
{
	const struct request request = {
		.wants_more = carried->wants_more,
		.is_oneway = carried->is_oneway,
	};
	return call_create(client, &request);
}

static void call_free(struct admin_call *call)
{
	if (call->server) {
		if (call->previous)
			call->previous->next = call->next;
		else
			call->server->calls = call->next;
		if (call->next)
			call->next->previous = call->previous;
		call->server->n_calls--;
	}
	if (call->client) {
		call->client->call = NULL;
		connection_answered(&call->client->connection);
	}
	free(call);
}

void call_abandon(struct admin_client *client)
{
	struct admin_call *call = client->call;
	client->call = NULL;
	if (!call)
		return;
	call->client = NULL;
	if (call->on_gone)
		call->on_gone(call->data);
}

void call_continue(struct admin_call *call)
{
	if (call && call->on_sent)
		call->on_sent(call->data);
}

static void deny(
	struct admin_call *call, const char *method, enum admin_role role, enum admin_role needs)
{
	char name[128], error[128];
	struct admin_client *client = call->client;
	text_escape(name, sizeof name, method, strlen(method));
	server_complain(call->server,
		"admin: denied uid %u pid %d %s: needs the role \"%s\", has \"%s\"", call->peer.uid,
		call->peer.pid, name, role_name(needs), role_name(role));
	/* A stranger gets one answer and no second hearing. */
	if (role == ADMIN_ROLE_NONE)
		connection_finish(&client->connection);
	snprintf(error, sizeof error, "%s.PermissionDenied", call->server->interface->name);
	admin_error(call, error, json_pack("{s:s}", "role", role_name(needs)));
}

static void call_dispatch(struct admin_call *call, const struct request *request)
{
	struct admin_server *server = call->server;
	struct target target = find_target(server, request->method);
	enum admin_role needs = target.verb ? target.verb->needs : ADMIN_ROLE_STATUS;
	enum admin_role role = peer_role(call->client);
	if (role < needs) {
		deny(call, request->method, role, needs);
	} else if (!target.interface) {
		const char *dot = strrchr(request->method, '.');
		size_t length = dot ? (size_t)(dot - request->method) : strlen(request->method);
		admin_error(call, "InterfaceNotFound",
			json_pack("{s:s%}", "interface", request->method, length));
	} else if (!target.verb) {
		admin_error(call, "MethodNotFound", json_pack("{s:s}", "method", request->method));
	} else if (request->wants_upgrade) {
		admin_error(call, "MethodNotImplemented",
			json_pack("{s:s}", "method", request->method));
	} else if (server->n_calls > CALLS_MAX) {
		char error[128];
		snprintf(error, sizeof error, "%s.Busy", server->interface->name);
		admin_error(call, error,
			json_pack("{s:s}", "reason", "too many calls wait for their answers"));
	} else if (request->parameters) {
		target.verb->handle(target.interface->context, call, request->parameters);
	} else {
		json_t *none = json_object();
		target.verb->handle(target.interface->context, call, none);
		json_decref(none);
	}
}

void call_receive(struct admin_client *client, const char *text, size_t length)
{
	struct request request;
	json_error_t error;
	json_t *message = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	if (!message || !read_request(message, &request)) {
		connection_fail(&client->connection, "sent what is no Varlink call");
	} else {
		struct admin_call *call = call_create(client, &request);
		if (call)
			call_dispatch(call, &request);
		else
			connection_fail(&client->connection, "out of memory");
	}
	json_decref(message);
}

/* Takes `parameters`. `error` NULL: an answer; `continues`: one of several. */
static void call_send(
	struct admin_call *call, const char *error, json_t *parameters, bool continues)
{
	if (!call->client || call->is_oneway) {
		json_decref(parameters);
		return;
	}
	struct connection *connection = &call->client->connection;
	json_t *message = json_object();
	bool is_complete =
		message && (!error || !json_object_set_new(message, "error", json_string(error)));
	if (!parameters)
		parameters = json_object();
	is_complete = !json_object_set_new(message, "parameters", parameters) && is_complete;
	if (continues)
		is_complete =
			!json_object_set_new(message, "continues", json_true()) && is_complete;
	char *text = is_complete ? json_dumps(message, JSON_COMPACT) : NULL;
	if (text) {
		server_bound_output(call->server, call->client, strlen(text) + 1);
		connection_send(connection, text, strlen(text) + 1);
	} else {
		connection_fail(connection, "out of memory");
	}
	size_t length = text ? strlen(text) : 0;
	free(text);
	json_decref(message);
	if (length >= LONG_ANSWER)
		heap_give_back();
}

/* The parameters as text. */
static void call_send_text(
	struct admin_call *call, const struct json_text *parameters, bool continues)
{
	static const char begin[] = "{\"parameters\":";
	const char *end = continues ? ",\"continues\":true}" : "}";
	size_t end_size = strlen(end) + 1;
	if (!call->client || call->is_oneway)
		return;
	struct connection *connection = &call->client->connection;
	if (parameters->has_failed) {
		connection_fail(connection, "out of memory");
		return;
	}
	server_bound_output(
		call->server, call->client, sizeof begin - 1 + parameters->length + end_size);
	connection_send(connection, begin, sizeof begin - 1);
	connection_send(connection, parameters->bytes, parameters->length);
	connection_send(connection, end, end_size);
}

void admin_reply_text(struct admin_call *call, const struct json_text *parameters)
{
	call_send_text(call, parameters, false);
	call_free(call);
}

bool admin_reply_more_text(struct admin_call *call, const struct json_text *parameters)
{
	if (!call->wants_more || call->is_oneway)
		return false;
	call_send_text(call, parameters, true);
	return true;
}

void admin_reply(struct admin_call *call, json_t *parameters)
{
	call_send(call, NULL, parameters, false);
	call_free(call);
}

bool admin_reply_more(struct admin_call *call, json_t *parameters)
{
	if (!call->wants_more || call->is_oneway) {
		json_decref(parameters);
		return false;
	}
	call_send(call, NULL, parameters, true);
	return call->client && !call->client->connection.failure &&
	       admin_call_unsent(call) <= ADMIN_STREAM_UNSENT_MAX;
}

size_t admin_call_unsent(const struct admin_call *call)
{
	return call->client ? connection_unsent(&call->client->connection) : 0;
}

void admin_call_on_gone(struct admin_call *call, void (*on_gone)(void *data), void *data)
{
	call->on_gone = on_gone;
	call->data = data;
}

void admin_call_on_sent(struct admin_call *call, void (*on_sent)(void *data))
{
	call->on_sent = on_sent;
}

bool admin_call_wants_more(const struct admin_call *call)
{
	return call->wants_more;
}

void admin_error(struct admin_call *call, const char *error, json_t *parameters)
{
	char name[128];
	snprintf(
		name, sizeof name, "%s%s", strchr(error, '.') ? "" : "org.varlink.service.", error);
	call_send(call, name, parameters, false);
	call_free(call);
}

const struct ucred *admin_call_peer(const struct admin_call *call)
{
	return &call->peer;
}
