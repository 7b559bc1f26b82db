/* The worker processes, as ps(1) would list them, with the service each works for. */
#include "ctl/render.h"

#include "ctl/reply.h"

static const struct table_column columns[] = {
	{ "PID", 0, .is_right = true, .field = "pid", .format = reply_print_exact },
	{ "SERVICE", 0, .field = "service", .format = reply_print_text },
	{ "STATE", 1, .field = "state", .format = reply_print_text },
	{ "GEN", 5, .is_right = true, .field = "generation", .format = reply_print_exact },
	{ "USER", 4, .field = "user", .format = reply_print_text },
	{ "UPTIME", 2, .field = "uptime_ms", .format = reply_print_duration },
	{ "COMMAND", 3, .is_elastic = true, .field = "command", .format = reply_print_text },
};

/* What it says of itself: by STATUS=, and by the reports of fdsup-protocol(7). */
static void print_notes(FILE *out, const json_t *row, const struct look *look)
{
	const char *status = reply_text(row, "status");
	json_int_t slots;
	if (status)
		look_print_line(out, look, TONE_PLAIN, "    it says: %s", status);
	if (reply_integer(row, "slots", &slots))
		look_print_line(out, look, TONE_PLAIN,
			"    it could serve %" JSON_INTEGER_FORMAT " more", slots);
}

static const char *const states[] = { "STARTING", "READY", "DRAINING", "STOPPING", NULL };

const struct table table_workers = {
	.columns = columns,
	.states = states,
	.notes = print_notes,
	.n_columns = sizeof columns / sizeof *columns,
};
