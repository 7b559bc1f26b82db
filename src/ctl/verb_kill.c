/*
 * The verb that ends connections: by their ids, or all that a selection shows. Without either it ends
 * none.
 */
#include "ctl/verbs.h"

#include <stdbool.h>
#include <string.h>

#include "ctl/ask.h"
#include "ctl/complaint.h"
#include "ctl/exitcode.h"
#include "ctl/options.h"
#include "ctl/render.h"
#include "ctl/reply.h"
#include "ctl/view.h"

static bool is_id(const char *text)
{
	return strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16;
}

static bool has_selection(const struct ctl *ctl)
{
	return is_given(ctl, OPTION_SOURCE) || is_given(ctl, OPTION_STATE) || is_given(ctl, OPTION_WORKER);
}

/* CTL_OK, or another exit code after a complaint. */
static int select_ids(struct ctl *ctl, json_t *ids)
{
	struct records rows = { 0 };
	int code = gather_connections(ctl, &rows);
	if (code == CTL_OK) {
		view_apply_records(ctl, &table_connections, &rows);
		for (size_t i = 0; i < rows.n; i++) {
			const char *id = reply_text(records_at(&rows, i), "id");
			if (id)
				json_array_append_new(ids, json_string(id));
		}
	}
	records_fini(&rows);
	return code;
}

/* Ids and a selection do not go together: which of the two was meant? */
static int gather_ids(struct ctl *ctl, json_t *ids)
{
	for (size_t i = 0; i < ctl->n_names; i++)
		if (is_id(ctl->names[i]))
			json_array_append_new(ids, json_string(ctl->names[i]));
	size_t n = json_array_size(ids);
	if (n && (n < ctl->n_names || has_selection(ctl))) {
		complain("kill-connection takes ids of connections, or a selection, not both");
		return CTL_USAGE;
	}
	if (!n && !ctl->n_names && !has_selection(ctl)) {
		complain("kill-connection needs the id of a connection, the name of a service, or --source, "
			 "--state or --worker; `fdsupctl connections -o id,service,foreign-address` lists them");
		return CTL_USAGE;
	}
	return n ? CTL_OK : select_ids(ctl, ids);
}

/* What was selected and has ended meanwhile is what was wished for. */
static int report_outcome(struct ctl *ctl, const json_t *outcome, bool is_selected)
{
	const char *id = reply_text(outcome, "id"), *service = reply_text(outcome, "service");
	const char *reason = reply_text(outcome, "reason");
	if (is_selected && reply_flag(outcome, "gone"))
		return CTL_OK;
	if (!reply_flag(outcome, "ended")) {
		complain("%s: %s", id ? id : "-", reason ? reason : "it could not be ended");
		return CTL_FAILED;
	}
	if (!ctl->is_json)
		look_print_line(ctl->out, &ctl->look, TONE_PLAIN, "%s: %s ended", service ? service : "-",
			id ? id : "-");
	return CTL_OK;
}

int run_kill_connection(struct ctl *ctl)
{
	static const struct question question = { "KillConnection", "outcomes", true, 0 };
	struct client_reply reply;
	bool is_selected = !ctl->n_names || !is_id(ctl->names[0]);
	json_t *ids = json_array();
	int code = gather_ids(ctl, ids);
	if (code == CTL_OK && !json_array_size(ids)) {
		complain("no connection is selected: none was ended");
		code = CTL_FAILED;
	}
	if (code != CTL_OK) {
		json_decref(ids);
		return code;
	}
	code = ask(ctl, &question, json_pack("{s:o}", "connections", ids), &reply);
	if (code != CTL_OK)
		return code;
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	const json_t *outcomes = json_object_get(reply.parameters, "outcomes");
	for (size_t i = 0; i < json_array_size(outcomes); i++)
		if (report_outcome(ctl, json_array_get(outcomes, i), is_selected) != CTL_OK)
			code = CTL_FAILED;
	client_reply_fini(&reply);
	return code;
}
