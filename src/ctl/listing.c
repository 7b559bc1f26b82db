#include "ctl/listing.h"

#include <stdlib.h>

#include "ctl/complaint.h"
#include "ctl/exitcode.h"
#include "ctl/view.h"

bool choose_columns(
	const struct ctl *ctl, const struct table *table, struct table_choice *ret)
{
	char *unknown = NULL;
	if (table_choose(table, ctl->columns, ret, &unknown))
		return view_check(ctl, table);
	char *names = table_names(table);
	complain("-o: there is no column \"%s\"; there are: %s", unknown ? unknown : "",
		names ? names : "");
	free(names);
	free(unknown);
	return false;
}

int run_listing(struct ctl *ctl, const struct question *question, const struct table *table)
{
	return run_listing_of(ctl, question, table, services_parameter(ctl));
}

int run_listing_of(struct ctl *ctl, const struct question *question, const struct table *table,
	json_t *parameters)
{
	struct client_reply reply;
	struct table_choice choice;
	if (!choose_columns(ctl, table, &choice)) {
		json_decref(parameters);
		return CTL_USAGE;
	}
	int code = ask(ctl, question, parameters, &reply);
	if (code != CTL_OK)
		return code;
	view_apply(ctl, table, reply.parameters, question->rows);
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	else
		table_print(ctl->out, table, &choice,
			json_object_get(reply.parameters, question->rows), &ctl->look);
	client_reply_fini(&reply);
	return CTL_OK;
}
