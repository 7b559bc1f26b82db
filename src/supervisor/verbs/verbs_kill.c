/*
 * Ending connections that were named one by one: what is not named is never touched.
 */
#include "supervisor/verbs/verbs_kill.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/server.h"
#include "base/log.h"
#include "supervisor/connections.h"
#include "supervisor/service/service.h"
#include "supervisor/severing.h"
#include "supervisor/supervisor.h"

struct wanted {
	uint64_t id;
	json_t *outcome; /* in the list of all; NULL: no such connection was found */
};

struct killing {
	struct supervisor *supervisor;
	struct admin_call *call;
	json_t *outcomes;
	size_t n;
	struct wanted wanted[]; /* in the order of their ids */
};

static void destroy(struct killing *killing)
{
	json_decref(killing->outcomes);
	free(killing);
}

static int compare(const void *a, const void *b)
{
	const struct wanted *left = a, *right = b;
	return (left->id > right->id) - (left->id < right->id);
}

/* As it stands in lists and in the log: sixteen digits. */
static bool read_id(const json_t *json, uint64_t *ret)
{
	const char *text = json_string_value(json);
	if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
		return false;
	*ret = strtoull(text, NULL, 16);
	return true;
}

static json_t *make_outcome(
	uint64_t id, const char *service, int done, bool is_gone, const char *why)
{
	char text[20];
	snprintf(text, sizeof text, "%016" PRIx64, id);
	return json_pack("{s:s, s:s?, s:b, s:b, s:b, s:b, s:s?}", "id", text, "service", service, "ended",
		done > 0, "reset", done > 0 && done & SEVERED_SOCKET, "command", done > 0 && done & SEVERED_COMMAND,
		"gone", is_gone, "reason", why);
}

/* NULL: it has gone, or the row is nonsense. */
static struct service *find_service(
	const struct supervisor *supervisor, const struct acceptor *acceptor, uint32_t slot)
{
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (supervisor->services[i]->acceptor == acceptor &&
			supervisor->services[i]->slot == slot)
			return supervisor->services[i];
	return NULL;
}

static void end_one(struct killing *killing, struct wanted *wanted, struct service *service,
	const struct connection_row *row)
{
	const struct ucred *peer = admin_call_peer(killing->call);
	struct control_connection connection = {
		.id = row->id,
		.peer = row->peer,
		.local = row->local,
		.pid = row->pid,
		.reason = SEVERANCE_ORDER,
	};
	int r = severing_end(service, &connection);
	const char *why = r == -ENOENT ? "it has just ended by itself"
				       : r < 0 ? severing_remedy(service, r) : NULL;
	log_notice("%s: kill-connection %016" PRIx64 " ordered by uid %u (pid %d): %s",
		service->config->name, row->id, peer->uid, (int)peer->pid, why ? why : "ended");
	/* The same connection may be several services'; that one of them could end it is what counts. */
	if (wanted->outcome && r < 0)
		return;
	json_t *outcome = make_outcome(row->id, service->config->name, r, r == -ENOENT, why);
	if (wanted->outcome)
		json_object_update(wanted->outcome, outcome);
	else
		json_array_append(killing->outcomes, wanted->outcome = outcome);
	json_decref(outcome);
}

static void on_ready(void *context, struct connections *connections)
{
	struct killing *killing = context;
	struct admin_call *call = killing->call;
	for (size_t i = 0; connections && i < connections->n_parts; i++) {
		const struct connections_part *part = &connections->parts[i];
		for (size_t k = 0; k < part->n; k++) {
			struct wanted key = { .id = part->rows[k].id };
			struct wanted *wanted = bsearch(&key, killing->wanted, killing->n, sizeof key, compare);
			struct service *service =
				wanted ? find_service(killing->supervisor, part->acceptor, part->rows[k].service)
				       : NULL;
			if (service)
				end_one(killing, wanted, service, &part->rows[k]);
		}
	}
	for (size_t i = 0; connections && i < killing->n; i++)
		if (!killing->wanted[i].outcome)
			json_array_append_new(killing->outcomes,
				make_outcome(killing->wanted[i].id, NULL, 0, connections->is_complete,
					connections->is_complete ? "there is no such connection"
								 : "an acceptor has not said what it has"));
	json_t *reply = connections ? json_pack("{s:O}", "outcomes", killing->outcomes) : NULL;
	connections_release(connections);
	destroy(killing);
	if (reply)
		admin_reply(call, reply);
	else
		admin_error(call, "org.fdsup.Failed",
			json_pack("{s:s}", "reason", "the acceptors cannot be asked now"));
}

static void on_gone(void *data)
{
	struct killing *killing = data;
	struct admin_call *call = killing->call;
	connections_forget(killing->supervisor, killing);
	destroy(killing);
	admin_reply(call, NULL);
}

/* NULL: they are not all ids, or there are none. */
static struct killing *read_wanted(const json_t *ids)
{
	size_t n = json_array_size(ids), n_different = 0;
	struct killing *killing = n ? calloc(1, sizeof *killing + n * sizeof *killing->wanted) : NULL;
	for (size_t i = 0; killing && i < n; i++)
		if (!read_id(json_array_get(ids, i), &killing->wanted[i].id)) {
			free(killing);
			return NULL;
		}
	if (!killing)
		return NULL;
	qsort(killing->wanted, n, sizeof *killing->wanted, compare);
	for (size_t i = 0; i < n; i++)
		if (!i || killing->wanted[i].id != killing->wanted[n_different - 1].id)
			killing->wanted[n_different++] = killing->wanted[i];
	killing->n = n_different;
	killing->outcomes = json_array();
	return killing;
}

void on_kill_connection(void *context, struct admin_call *call, const json_t *parameters)
{
	struct killing *killing = read_wanted(json_object_get(parameters, "connections"));
	if (!killing) {
		admin_error(call, "InvalidParameter", json_pack("{s:s}", "parameter", "connections"));
		return;
	}
	killing->supervisor = context;
	killing->call = call;
	admin_call_on_gone(call, on_gone, killing);
	connections_ask(context, on_ready, killing);
}
