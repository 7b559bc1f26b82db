/*
 * The verbs about connections. The list may be long, so it comes in pieces.
 */
#include "ctl/verbs.h"

#include <errno.h>

#include "base/fd.h"
#include "ctl/ask.h"
#include "ctl/client.h"
#include "ctl/complaint.h"
#include "ctl/exitcode.h"
#include "ctl/listing.h"
#include "ctl/render.h"
#include "ctl/reply.h"
#include "ctl/view.h"

/* One piece, or what went wrong. */
static int take_piece(struct ctl *ctl, const struct client_reply *reply, json_t *rows)
{
	if (reply->error) {
		complain_reply(ctl->socket_path, reply);
		return exitcode_of_error(reply->error, true);
	}
	if (!reply_has_rows(reply->parameters, "connections"))
		return complain_call(ctl->socket_path, EBADMSG, 0);
	json_array_extend(rows, json_object_get(reply->parameters, "connections"));
	json_t *complete = json_object_get(reply->parameters, "complete");
	if (json_is_false(complete) && !reply->continues)
		complain("an acceptor has not answered: the list is not complete");
	return CTL_OK;
}

int gather_connections(struct ctl *ctl, json_t *rows)
{
	struct client_input input = { 0 };
	fd_auto int fd = -1;
	json_t *parameters = services_parameter(ctl);
	if (ctl->source)
		json_object_set_new(parameters, "source", json_string(ctl->source));
	int r = client_connect(ctl->socket_path, QUERY_TIMEOUT_MS, &fd);
	if (r < 0) {
		json_decref(parameters);
		return complain_connect(ctl->socket_path, -r);
	}
	r = client_call_more(fd, "org.fdsup.Connections", parameters, QUERY_TIMEOUT_MS);
	int code = CTL_OK;
	for (bool goes_on = true; r == 0 && goes_on && code == CTL_OK;) {
		struct client_reply reply;
		r = client_next(&input, fd, QUERY_TIMEOUT_MS, &reply);
		if (r < 0)
			break;
		code = take_piece(ctl, &reply, rows);
		goes_on = reply.continues;
		client_reply_fini(&reply);
	}
	client_input_fini(&input);
	return r < 0 ? complain_call(ctl->socket_path, -r, QUERY_TIMEOUT_MS) : code;
}

int run_connections(struct ctl *ctl)
{
	struct table_choice choice;
	if (!choose_columns(ctl, &table_connections, &choice))
		return CTL_USAGE;
	json_t *rows = json_array();
	json_t *all = json_pack("{s:o}", "connections", rows);
	int code = gather_connections(ctl, rows);
	if (code == CTL_OK) {
		view_apply(ctl, &table_connections, all, "connections");
		if (ctl->is_json)
			print_json(ctl, all);
		else
			table_print(ctl->out, &table_connections, &choice, rows, &ctl->look);
	}
	json_decref(all);
	return code;
}
