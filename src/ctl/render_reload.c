/* The plan of a reload: what it changes, service by service. */
#include "ctl/render.h"

#include <string.h>

#include "ctl/reply.h"

static const struct table_column columns[] = {
	{ "SERVICE", 0, .field = "service", .format = reply_print_text },
	{ "ACTION", 0, .field = "action", .format = reply_print_text },
	{ "KEYS", 1, .is_elastic = true, .field = "keys", .format = reply_print_list },
};

static const struct table table_changes = {
	.columns = columns,
	.n_columns = sizeof columns / sizeof *columns,
};

static bool is_kept(const json_t *change)
{
	const char *action = reply_text(change, "action");
	return action && !strcmp(action, "keep");
}

void render_changes(FILE *out, const json_t *parameters, bool is_verbose, const struct look *look)
{
	const json_t *changes = json_object_get(parameters, "changes");
	json_t *rows = json_array();
	struct table_choice choice;
	size_t n_kept = 0;
	for (size_t i = 0; i < json_array_size(changes); i++) {
		json_t *change = json_array_get(changes, i);
		n_kept += is_kept(change);
		if (is_verbose || !is_kept(change))
			json_array_append(rows, change);
	}
	if (json_array_size(rows) && table_choose(&table_changes, NULL, &choice, NULL))
		table_print(out, &table_changes, &choice, rows, look);
	look_print_line(
		out, look, TONE_PLAIN, "%zu service%s unchanged", n_kept, n_kept == 1 ? "" : "s");
	json_decref(rows);
}
