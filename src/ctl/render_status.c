/* How the services are: a line each, and below it what is to be known of those in trouble. */
#include "ctl/render.h"

#include <string.h>

#include "base/text.h"
#include "ctl/number.h"
#include "ctl/reply.h"

enum { NOTES_MAX = 5 };

/* How a service is, at a glance: the symbol, and the colour of symbol and state. */
enum mood { MOOD_UP, MOOD_TROUBLED, MOOD_FAILED, MOOD_STOPPED };

static enum mood mood_of(const json_t *service)
{
	const char *state = reply_text(service, "state");
	if (state && !strcmp(state, "FAILED"))
		return MOOD_FAILED;
	if (!reply_flag(service, "healthy"))
		return MOOD_TROUBLED;
	if (state && !strcmp(state, "STOPPED"))
		return MOOD_STOPPED;
	return MOOD_UP;
}

static const char *symbol_of(const json_t *service, bool is_utf8)
{
	static const char *const symbols[] = { "●", "▲", "■", "○" };
	static const char *const plain_symbols[] = { "+", "!", "X", "-" };
	return (is_utf8 ? symbols : plain_symbols)[mood_of(service)];
}

static enum tone tone_of(const json_t *service)
{
	static const enum tone tones[] = { TONE_GOOD, TONE_WARNING, TONE_BAD, TONE_QUIET };
	return tones[mood_of(service)];
}

/* Cause, last words, what happens next; without an explanation the last words at least. */
static void print_notes(FILE *out, const json_t *service, const struct look *look)
{
	const json_t *explanation = json_object_get(service, "explanation");
	for (size_t i = 0; i < json_array_size(explanation) && i < NOTES_MAX; i++) {
		const char *line = json_string_value(json_array_get(explanation, i));
		if (line)
			look_print_line(out, look, TONE_PLAIN, "    %s", line);
	}
	const json_t *words = json_object_get(service, "last_words");
	bool is_healthy = reply_flag(service, "healthy");
	if (!is_healthy && !json_array_size(explanation) && json_array_size(words)) {
		const char *last =
			json_string_value(json_array_get(words, json_array_size(words) - 1));
		if (last)
			look_print_line(out, look, TONE_PLAIN, "    stderr: %s", last);
	}
}

/* For -v. */
static void print_all_notes(FILE *out, const json_t *service, const struct look *look)
{
	print_notes(out, service, look);
	render_limits(out, service, look);
}

static const struct table_column columns[] = {
	{ "SERVICE", 0, .field = "name", .format = reply_print_text },
	{ "STATE", 0, .field = "state", .format = reply_print_text, .tone = tone_of },
	{ "LISTEN", 2, .field = "listen", .format = reply_print_list,
		.format_short = reply_print_list_short },
	{ "WORKERS", 4, .field = "workers", .format = reply_print_used },
	{ "CONNS", 3, .field = "connections", .format = reply_print_used },
	/* Without its limit: what matters is whether anybody waits. */
	{ "QUEUE", 5, .field = "queue", .format = reply_print_used_only },
	{ "RATE", 8, .field = "rate", .format = reply_print_rate },
	{ "SERVED", 9, .field = "served", .format = reply_print_count },
	{ "LOST", 7, .field = "lost", .format = reply_print_count },
	{ "DEATHS", 6, .field = "deaths", .format = reply_print_count },
	{ "SINCE", 1, .field = "since_ms", .format = reply_print_duration },
};

static const char *const states[] = { "STARTING", "UP", "DEGRADED", "BACKOFF", "HUNG", "PAUSED", "DRAINING",
	"ON-DEMAND", "STOPPED", "FAILED", NULL };

const struct table table_status = {
	.states = states,
	.columns = columns,
	.n_columns = sizeof columns / sizeof *columns,
	.symbol = symbol_of,
	.symbol_tone = tone_of,
	.notes = print_notes,
};

/* What concerns all services, and so must not hide behind a table of green lines. */
static void print_alarms(FILE *out, const json_t *daemon, const struct look *look)
{
	const json_t *acceptors = json_object_get(daemon, "acceptors");
	const char *error = reply_text(daemon, "reload_error");
	if (reply_flag(daemon, "stopping"))
		look_print_line(out, look, TONE_WARNING, "fdsup is stopping");
	if (error) {
		char text[NUMBER_SIZE] = "-";
		json_int_t loaded_at;
		if (reply_integer(daemon, "loaded_at", &loaded_at))
			number_format_time(text, loaded_at);
		look_print_line(out, look, TONE_BAD, "the last reload failed: %s", error);
		look_print_line(out, look, TONE_PLAIN,
			"    the configuration of %s stays in force until `fdsupctl reload` "
			"succeeds",
			text);
	}
	const char *log_trouble = reply_text(daemon, "log_trouble");
	if (log_trouble)
		look_print_line(out, look, TONE_BAD, "%s", log_trouble);
	for (size_t i = 0; i < json_array_size(acceptors); i++)
		if (!json_is_integer(json_object_get(json_array_get(acceptors, i), "pid")))
			look_print_line(out, look, TONE_BAD,
				"acceptor %zu is not running; new connections wait in the kernel "
				"until it is",
				i + 1);
}

static const char *format_uptime(char text[TEXT_DURATION_SIZE], const json_t *object)
{
	json_int_t ms;
	if (!reply_integer(object, "uptime_ms", &ms) || ms < 0)
		return "-";
	return text_format_duration(text, (uint64_t)ms);
}

static void print_acceptor(
	FILE *out, size_t number, const json_t *acceptor, const struct look *look)
{
	char uptime[TEXT_DURATION_SIZE];
	json_int_t pid, restarts = 0;
	if (!reply_integer(acceptor, "pid", &pid))
		return;
	reply_integer(acceptor, "restarts", &restarts);
	look_print_line(out, look, TONE_PLAIN,
		"acceptor %zu, pid %" JSON_INTEGER_FORMAT ", up %s, restarted %" JSON_INTEGER_FORMAT
		"x",
		number, pid, format_uptime(uptime, acceptor), restarts);
	const char *sandbox = reply_text(acceptor, "sandbox"),
		   *missing = reply_text(acceptor, "sandbox_missing");
	if (sandbox)
		look_print_line(out, look, missing ? TONE_WARNING : TONE_PLAIN, "    sandbox: %s%s%s",
			*sandbox ? sandbox : "none", missing ? "; missing: " : "",
			missing ? missing : "");
	const char *ledger = reply_text(acceptor, "ledger");
	missing = reply_text(acceptor, "ledger_missing");
	if (ledger)
		look_print_line(out, look, missing ? TONE_WARNING : TONE_PLAIN, "    ledger: %s%s%s%s",
			ledger,
			json_is_true(json_object_get(acceptor, "ledger_asked"))
				? ", asked for ends: more than max_notices connections a second"
				: "",
			missing ? "; missing: " : "", missing ? missing : "");
}

/* For -v: who is speaking. */
static void print_daemon(FILE *out, const json_t *daemon, const struct look *look)
{
	const char *version = reply_text(daemon, "version"),
		   *file = reply_text(daemon, "config_file");
	char uptime[TEXT_DURATION_SIZE], loaded[NUMBER_SIZE] = "-";
	json_int_t pid = 0, loaded_at;
	reply_integer(daemon, "pid", &pid);
	if (reply_integer(daemon, "loaded_at", &loaded_at))
		number_format_time(loaded, loaded_at);
	look_print_line(out, look, TONE_PLAIN, "fdsup %s, pid %" JSON_INTEGER_FORMAT ", up %s",
		version ? version : "-", pid, format_uptime(uptime, daemon));
	look_print_line(
		out, look, TONE_PLAIN, "configuration %s, loaded %s", file ? file : "-", loaded);
	const json_t *acceptors = json_object_get(daemon, "acceptors");
	for (size_t i = 0; i < json_array_size(acceptors); i++)
		print_acceptor(out, i + 1, json_array_get(acceptors, i), look);
}

static void print_sum(FILE *out, const json_t *services, const struct look *look)
{
	size_t n = json_array_size(services), n_unwell = 0;
	for (size_t i = 0; i < n; i++)
		n_unwell += !reply_flag(json_array_get(services, i), "healthy");
	if (n_unwell)
		look_print_line(out, look, TONE_PLAIN, "%zu of %zu service%s %s not well", n_unwell,
			n, n == 1 ? "" : "s", n_unwell == 1 ? "is" : "are");
}

/* For -v: of what there was some, for each service. */
static void print_count(FILE *out, const json_t *services, const char *field, const char *one,
	const char *many, const struct look *look)
{
	for (size_t i = 0; i < json_array_size(services); i++) {
		const json_t *service = json_array_get(services, i);
		const char *name = reply_text(service, "name");
		json_int_t n;
		if (reply_integer(service, field, &n) && n > 0)
			look_print_line(out, look, TONE_PLAIN, "%s: %" JSON_INTEGER_FORMAT " %s",
				name ? name : "-", n, n == 1 ? one : many);
	}
}

static void print_counts(FILE *out, const json_t *services, const struct look *look)
{
	print_count(out, services, "redelivered", "connection of workers that died went to another",
		"connections of workers that died went to another", look);
	print_count(out, services, "lapsed",
		"connection was ended by first_byte_timeout, silence_timeout or max_duration",
		"connections were ended by first_byte_timeout, silence_timeout or max_duration", look);
}

void render_status(FILE *out, const json_t *parameters, const struct table_choice *choice,
	bool is_verbose, const struct look *look)
{
	const json_t *daemon = json_object_get(parameters, "daemon");
	const json_t *services = json_object_get(parameters, "services");
	if (choice->is_given) {
		table_print(out, &table_status, choice, services, look);
		return;
	}
	if (is_verbose)
		print_daemon(out, daemon, look);
	print_alarms(out, daemon, look);
	struct table table = table_status;
	if (is_verbose)
		table.notes = print_all_notes;
	table_print(out, &table, choice, services, look);
	if (is_verbose)
		print_counts(out, services, look);
	print_sum(out, services, look);
}
