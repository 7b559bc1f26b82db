/*
 * Clients over to the program that is executed in our place: their connections stay open, with what
 * they have sent and not been answered, and what they have not yet read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin/client.h"

void admin_server_each(struct admin_server *server,
	void (*visit)(void *context, const struct admin_carried *carried), void *context)
{
	for (struct admin_client *client = server->clients; client; client = client->next) {
		const struct connection *connection = &client->connection;
		const struct connection_buffer *input = &connection->input;
		const struct connection_buffer *output = &connection->output;
		if (connection->failure || connection->is_last)
			continue;
		const struct admin_carried carried = {
			.fd = connection->io.fd,
			.input = input->bytes + input->start,
			.n_input = input->end - input->start,
			.output = output->bytes + output->start,
			.n_output = output->end - output->start,
			.call = client->call,
			.wants_more = client->call && client->call->wants_more,
			.is_oneway = client->call && client->call->is_oneway,
		};
		visit(context, &carried);
	}
}

int admin_server_carry_on(struct admin_server *server, const struct admin_carried *carried,
	bool has_call, struct admin_call **ret_call)
{
	struct admin_client *client = server_take_client(server, carried->fd);
	if (!client)
		return -ENOMEM;
	connection_init(&client->connection, server->loop, carried->fd, &server_connection_events);
	*ret_call = has_call ? call_carry_on(client, carried) : NULL;
	if (has_call && !*ret_call)
		connection_fail(&client->connection, "out of memory");
	else
		connection_carry_on(&client->connection, carried->input, carried->n_input,
			carried->output, carried->n_output, has_call);
	return 0;
}
