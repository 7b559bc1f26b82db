#include "supervisor/succession/saved_clients.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/server.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/repeats.h"
#include "supervisor/verbs/streams.h"
#include "supervisor/verbs/waits.h"

struct saving {
	const struct supervisor *supervisor;
	const struct admin_call *upgrade;
	json_t *clients;
	struct state_fds fds;
};

/* What a client sent need not be a text. */
static json_t *save_bytes(const char *bytes, size_t n)
{
	char *hex = n ? malloc(2 * n + 1) : NULL;
	for (size_t i = 0; hex && i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)bytes[i]);
	json_t *json = hex ? json_string(hex) : NULL;
	free(hex);
	return json;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

/* The caller's; NULL: none. */
static char *restore_bytes(const json_t *json, size_t *ret_n)
{
	const char *hex = json_string_value(json);
	size_t n = hex ? strlen(hex) / 2 : 0;
	char *bytes = n ? malloc(n) : NULL;
	for (size_t i = 0; bytes && i < n; i++)
		bytes[i] = (char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	*ret_n = bytes ? n : 0;
	return bytes;
}

/* The kinds of calls that another program can go on with. */
static const struct kind {
	const char *name;
	json_t *(*save)(const struct supervisor *supervisor, const struct admin_call *call);
	void (*restore)(struct supervisor *supervisor, struct admin_call *call, const json_t *json);
} kinds[] = {
	{ "wait", waits_save, waits_restore },
	{ "stream", streams_save, streams_restore },
	{ "repeat", repeats_save, repeats_restore },
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* False: it is none of them. */
static bool save_call(
	const struct supervisor *supervisor, const struct admin_call *call, json_t *client)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		json_t *json = kinds[i].save(supervisor, call);
		if (json)
			return json_object_set_new(client, kinds[i].name, json) == 0;
	}
	return false;
}

static void save_client(void *context, const struct admin_carried *carried)
{
	struct saving *saving = context;
	json_t *client = json_object();
	bool is_upgrade = carried->call && carried->call == saving->upgrade;
	if (carried->call && !is_upgrade)
		save_call(saving->supervisor, carried->call, client);
	json_object_set_new(client, "fd", state_save_fd(carried->fd, &saving->fds));
	json_object_set_new(client, "input", save_bytes(carried->input, carried->n_input));
	json_object_set_new(client, "output", save_bytes(carried->output, carried->n_output));
	json_object_set_new(client, "has_call", json_boolean(carried->call));
	json_object_set_new(client, "wants_more", json_boolean(carried->wants_more));
	json_object_set_new(client, "is_oneway", json_boolean(carried->is_oneway));
	json_object_set_new(client, "is_upgrade", json_boolean(is_upgrade));
	json_array_append_new(saving->clients, client);
}

int saved_clients_add(
	const struct supervisor *supervisor, const struct admin_call *upgrade, struct state *state)
{
	struct saving saving = { supervisor, upgrade, json_array(), { 0 } };
	admin_server_each(supervisor->admin, save_client, &saving);
	return state_add(
		state, "clients", json_pack("{s:o}", "clients", saving.clients), &saving.fds);
}

/* Of another kind: who asked gets at least to know that he may ask again. */
static void go_on(struct supervisor *supervisor, struct admin_call *call, const json_t *client)
{
	if (json_is_true(json_object_get(client, "is_upgrade"))) {
		admin_reply(call, json_pack("{s:s, s:s}", "from", supervisor->version_before, "to",
					  FDSUP_VERSION));
		return;
	}
	for (size_t i = 0; i < N_KINDS; i++) {
		const json_t *json = json_object_get(client, kinds[i].name);
		if (json) {
			kinds[i].restore(supervisor, call, json);
			return;
		}
	}
	admin_error(call, "org.fdsup.Busy",
		json_pack("{s:s}", "reason", "another fdsup has taken over meanwhile; ask again"));
}

struct counting {
	const struct supervisor *supervisor;
	const struct admin_call *upgrade;
	bool has_found;
};

static void look_at_call(void *context, const struct admin_carried *carried)
{
	struct counting *counting = context;
	if (!carried->call || carried->call == counting->upgrade)
		return;
	json_t *unused = json_object();
	counting->has_found |= !save_call(counting->supervisor, carried->call, unused);
	json_decref(unused);
}

bool saved_clients_have_others(
	const struct supervisor *supervisor, const struct admin_call *upgrade)
{
	struct counting counting = { supervisor, upgrade, false };
	admin_server_each(supervisor->admin, look_at_call, &counting);
	return counting.has_found;
}

static void restore_client(
	struct supervisor *supervisor, const json_t *client, struct state_record *record)
{
	struct admin_carried carried = {
		.fd = -1,
		.wants_more = json_is_true(json_object_get(client, "wants_more")),
		.is_oneway = json_is_true(json_object_get(client, "is_oneway")),
	};
	struct admin_call *call = NULL;
	bool has_call = json_is_true(json_object_get(client, "has_call"));
	state_restore_fd(json_object_get(client, "fd"), &record->fds, &carried.fd);
	if (carried.fd < 0)
		return;
	char *input = restore_bytes(json_object_get(client, "input"), &carried.n_input);
	char *output = restore_bytes(json_object_get(client, "output"), &carried.n_output);
	carried.input = input;
	carried.output = output;
	admin_server_carry_on(supervisor->admin, &carried, has_call, &call);
	free(input);
	free(output);
	if (call)
		go_on(supervisor, call, client);
}

/* Who asked last is first in the list, and so the last to be added. */
void saved_clients_restore(struct supervisor *supervisor, const struct state *state)
{
	struct state_record *record = state_find(state, "clients");
	const json_t *clients = record ? json_object_get(record->json, "clients") : NULL;
	for (size_t i = json_array_size(clients); i-- > 0;)
		restore_client(supervisor, json_array_get(clients, i), record);
}
