/* What is known about a daemon that does not answer, for people and for programs. */
#include "ctl/render.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ctl/dead.h"
#include "ctl/exitcode.h"
#include "ctl/number.h"
#include "ctl/reply.h"

static const struct table_column columns[] = {
	{ "PROTO", 2, .field = "protocol", .format = reply_print_text },
	{ "ADDRESS", 1, .field = "address", .format = reply_print_text },
	{ "PORT", 0, .field = "port", .format = reply_print_exact },
	{ "SERVICE", 0, .field = "service", .format = reply_print_text },
	{ "HELD BY", 0, .is_elastic = true, .field = "held_by", .format = reply_print_text },
};

static const struct table table_ports = {
	.columns = columns,
	.n_columns = sizeof columns / sizeof *columns,
};

static void print_state(FILE *out, const struct dead *dead, const struct look *look)
{
	if (dead->is_running)
		look_print_line(out, look, TONE_BAD,
			"fdsup runs (pid %d), but does not listen here", dead->pid);
	else if (!dead->pid_file_error)
		look_print_line(out, look, TONE_BAD, "fdsup died and left %s", dead->pid_file);
	else if (dead_exitcode(dead) == CTL_NOT_RUNNING)
		look_print_line(out, look, TONE_PLAIN, "fdsup is not running");
	else
		look_print_line(out, look, TONE_BAD, "cannot read %s: %s", dead->pid_file,
			strerror(dead->pid_file_error));
}

/* The keeper has the sockets as long as somebody may still take them over. */
static bool is_kept(const struct dead *dead)
{
	size_t i;
	json_t *listener;
	json_array_foreach(dead->listeners, i, listener)
		if (strstr(reply_text(listener, "held_by"), "(fdsup-keeper)"))
			return true;
	return false;
}

void render_dead(FILE *out, const struct dead *dead, const struct look *look)
{
	print_state(out, dead, look);
	if (dead->started_at_ms) {
		char stamp[NUMBER_SIZE], age[TEXT_DURATION_SIZE];
		int64_t age_ms = clock_wall_ms() - dead->started_at_ms;
		text_format_duration(age, age_ms > 0 ? (uint64_t)age_ms : 0);
		look_print_line(out, look, TONE_PLAIN, "    pid %d, started %s, %s ago", dead->pid,
			number_format_time(stamp, dead->started_at_ms), age);
	}
	if (!dead->is_running && is_kept(dead)) {
		look_print_line(out, look, TONE_PLAIN,
			"    its services go on, and nothing that ends is replaced");
		look_print_line(out, look, TONE_PLAIN,
			"    start fdsup: it takes all of it over; or fdsup --end, which ends it");
	}
	struct table_choice choice;
	if (json_array_size(dead->listeners) && table_choose(&table_ports, NULL, &choice, NULL)) {
		look_print_line(out, look, TONE_PLAIN, "its ports now:");
		table_print(out, &table_ports, &choice, dead->listeners, look);
	}
}

json_t *render_dead_json(const struct dead *dead)
{
	return json_pack("{s:b, s:b, s:o, s:o, s:O}", "running", dead->is_running, "died",
		!dead->pid_file_error && !dead->is_running, "pid",
		dead->pid ? json_integer(dead->pid) : json_null(), "started_at",
		dead->started_at_ms ? json_integer(dead->started_at_ms) : json_null(), "listeners",
		dead->listeners);
}
