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
#include "ctl/records.h"
#include "ctl/render.h"
#include "ctl/reply.h"
#include "ctl/view.h"

/* One piece; what is none is read in full, to be complained about. */
static int take_piece(struct ctl *ctl, const char *text, struct records *rows, bool *ret_continues)
{
	struct records_piece piece;
	struct client_reply reply;
	int r = records_take(rows, text, "connections", &piece);
	if (r == 0) {
		if (piece.is_incomplete && !piece.continues)
			complain("an acceptor has not answered: the list is not complete");
		*ret_continues = piece.continues;
		return CTL_OK;
	}
	if (r == -EBADMSG)
		r = client_parse(text, &reply);
	if (r < 0)
		return complain_call(ctl->socket_path, -r, 0);
	int code = CTL_OK;
	if (reply.error) {
		complain_reply(ctl->socket_path, &reply);
		code = exitcode_of_error(reply.error, true);
	} else {
		code = complain_call(ctl->socket_path, EBADMSG, 0);
	}
	client_reply_fini(&reply);
	return code;
}

int gather_connections(struct ctl *ctl, struct records *rows)
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
		const char *text;
		goes_on = false;
		r = client_next_text(&input, fd, QUERY_TIMEOUT_MS, &text);
		if (r == 0)
			code = take_piece(ctl, text, rows, &goes_on);
	}
	client_input_fini(&input);
	return r < 0 ? complain_call(ctl->socket_path, -r, QUERY_TIMEOUT_MS) : code;
}

/* As print_json of an object with this one member. */
static void print_connections(struct ctl *ctl, const struct records *rows)
{
	fputs("{\n  \"version\": 1,\n  \"connections\": ", ctl->out);
	records_print(ctl->out, rows);
	fputs("\n}\n", ctl->out);
}

int run_connections(struct ctl *ctl)
{
	struct table_choice choice;
	struct records rows = { 0 };
	if (!choose_columns(ctl, &table_connections, &choice))
		return CTL_USAGE;
	int code = gather_connections(ctl, &rows);
	if (code == CTL_OK) {
		view_apply_records(ctl, &table_connections, &rows);
		if (ctl->is_json)
			print_connections(ctl, &rows);
		else
			table_print_records(ctl->out, &table_connections, &choice, &rows, &ctl->look);
	}
	records_fini(&rows);
	return code;
}
