/*
 * status, also of a daemon that is not there.
 */
#include "ctl/verbs.h"

#include "ctl/complaint.h"
#include "ctl/dead.h"
#include "ctl/exitcode.h"
#include "ctl/listing.h"
#include "ctl/render.h"
#include "ctl/view.h"

static int report_dead(struct ctl *ctl, int error)
{
	struct dead dead;
	complain_connect(ctl->socket_path, error);
	if (dead_inspect(ctl->socket_path, &dead) < 0)
		return CTL_UNKNOWN;
	int code = dead_exitcode(&dead);
	if (ctl->is_json) {
		json_t *object = render_dead_json(&dead);
		print_json(ctl, object);
		json_decref(object);
	} else {
		render_dead(ctl->out, &dead, &ctl->look);
	}
	dead_fini(&dead);
	return code;
}

int run_status(struct ctl *ctl)
{
	static const struct question question = { "Status", "services" };
	struct client_reply reply;
	struct table_choice choice;
	int fd;
	if (!choose_columns(ctl, &table_status, &choice))
		return CTL_USAGE;
	int r = client_connect(ctl->socket_path, QUERY_TIMEOUT_MS, &fd);
	if (r < 0 && exitcode_of_connect(-r) == CTL_NOT_RUNNING)
		return report_dead(ctl, -r);
	if (r < 0)
		return complain_connect(ctl->socket_path, -r);
	int code = ask_on(ctl, fd, &question, services_parameter(ctl), &reply);
	if (code != CTL_OK)
		return code;
	code = exitcode_of_status(reply.parameters, ctl->n_names > 0);
	view_apply(ctl, &table_status, reply.parameters, "services");
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	else
		render_status(ctl->out, reply.parameters, &choice, ctl->is_verbose, &ctl->look);
	client_reply_fini(&reply);
	return code;
}
