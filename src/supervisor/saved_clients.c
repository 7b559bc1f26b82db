#include "supervisor/saved_clients.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/server.h"
#include "supervisor/supervisor.h"
#include "supervisor/waits.h"

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

static void save_client(void *context, const struct admin_carried *carried)
{
	struct saving *saving = context;
	json_t *wait = carried->call ? waits_save(saving->supervisor, carried->call) : NULL;
	bool is_upgrade = carried->call && carried->call == saving->upgrade;
	/* A call of another kind cannot be answered by another program: its client sees the end. */
	if (carried->call && !wait && !is_upgrade)
		return;
	json_t *client = json_object();
	json_object_set_new(client, "fd", state_save_fd(carried->fd, &saving->fds));
	json_object_set_new(client, "input", save_bytes(carried->input, carried->n_input));
	json_object_set_new(client, "output", save_bytes(carried->output, carried->n_output));
	json_object_set_new(client, "wait", wait);
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

static void answer(struct supervisor *supervisor, struct admin_call *call, const json_t *client)
{
	const json_t *wait = json_object_get(client, "wait");
	if (wait)
		waits_restore(supervisor, call, wait);
	else
		admin_reply(call, json_pack("{s:s, s:s}", "from", supervisor->version_before, "to",
					  FDSUP_VERSION));
}

static void restore_client(
	struct supervisor *supervisor, const json_t *client, struct state_record *record)
{
	struct admin_carried carried = { .fd = -1 };
	struct admin_call *call = NULL;
	bool has_call = json_is_true(json_object_get(client, "is_upgrade")) ||
			json_object_get(client, "wait");
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
		answer(supervisor, call, client);
}

/* Who asked last is first in the list, and so the last to be added. */
void saved_clients_restore(struct supervisor *supervisor, const struct state *state)
{
	struct state_record *record = state_find(state, "clients");
	const json_t *clients = record ? json_object_get(record->json, "clients") : NULL;
	for (size_t i = json_array_size(clients); i-- > 0;)
		restore_client(supervisor, json_array_get(clients, i), record);
}
