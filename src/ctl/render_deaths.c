/* Deaths: a line each, and below it what is left of it: its core file, its last words. */
#include "ctl/render.h"

#include <string.h>

#include "base/text.h"
#include "ctl/number.h"
#include "ctl/reply.h"

enum { WORDS_SHOWN = 3 };

static void print_time(FILE *cell, const json_t *row, const char *field)
{
	char text[NUMBER_SIZE];
	json_int_t at;
	if (reply_integer(row, field, &at))
		fputs(number_format_time(text, at), cell);
}

static void print_size(FILE *cell, const json_t *row, const char *field)
{
	char text[TEXT_SIZE_SIZE];
	json_int_t bytes;
	if (reply_integer(row, field, &bytes) && bytes >= 0)
		fputs(text_format_size(text, (uint64_t)bytes), cell);
}

static enum tone tone_of(const json_t *row)
{
	json_int_t status;
	return reply_integer(row, "status", &status) && status == 0 ? TONE_PLAIN : TONE_BAD;
}

static void print_how(FILE *cell, const json_t *row, const char *field)
{
	json_int_t times;
	const char *program = reply_text(row, "program"), *how = reply_text(row, field);
	if (program && !strcmp(program, "command"))
		fputs("command ", cell);
	fputs(how ? how : "-", cell);
	if (reply_integer(row, "times", &times) && times > 1)
		fprintf(cell, ", %" JSON_INTEGER_FORMAT " times", times);
}

static void print_client(FILE *out, const json_t *row, const char *what, const struct look *look)
{
	const char *id = reply_text(row, "connection"), *client = reply_text(row, "client");
	if (id && client)
		look_print_line(out, look, TONE_PLAIN, "    %s: id=%s of %s", what, id, client);
}

static void print_given_up(FILE *out, const json_t *row, const struct look *look)
{
	size_t i;
	const json_t *client;
	json_array_foreach(json_object_get(row, "given_up"), i, client)
		print_client(out, client, "took three workers with it", look);
}

/* Of a worker what it had, of a command whom it served. */
static void print_circumstances(FILE *out, const json_t *row, const struct look *look)
{
	char since[NUMBER_SIZE];
	json_int_t times, first_at, others;
	if (json_is_true(json_object_get(row, "trial")))
		look_print_line(out, look, TONE_PLAIN, "    tried with the new configuration of a reload");
	print_given_up(out, row, look);
	print_client(out, row, "connection", look);
	if (reply_integer(row, "times", &times) && times > 1 && reply_integer(row, "first_at", &first_at))
		look_print_line(out, look, TONE_PLAIN, "    the last of %" JSON_INTEGER_FORMAT " since %s", times,
			number_format_time(since, first_at));
	if (reply_integer(row, "others", &others) && others > 0)
		look_print_line(out, look, TONE_PLAIN,
			"    and %" JSON_INTEGER_FORMAT " more that did not end well, too fast to be told one by one",
			others);
}

static void print_words(FILE *out, const json_t *row, size_t n_shown, const struct look *look)
{
	const char *core = reply_text(row, "core"), *no_core = reply_text(row, "no_core");
	const json_t *words = json_object_get(row, "stderr");
	size_t n = json_array_size(words);
	print_circumstances(out, row, look);
	if (core || no_core)
		look_print_line(out, look, TONE_PLAIN, "    core file: %s", core ? core : no_core);
	for (size_t i = n > n_shown ? n - n_shown : 0; i < n; i++) {
		const char *line = json_string_value(json_array_get(words, i));
		if (line)
			look_print_line(out, look, TONE_PLAIN, "    stderr: %s", line);
	}
}

static void print_notes(FILE *out, const json_t *row, const struct look *look)
{
	print_words(out, row, WORDS_SHOWN, look);
}

static void print_all_notes(FILE *out, const json_t *row, const struct look *look)
{
	print_words(out, row, SIZE_MAX, look);
}

static const struct table_column columns[] = {
	{ "WHEN", 1, .field = "at", .format = print_time },
	{ "SERVICE", 0, .field = "service", .format = reply_print_text },
	{ "PID", 2, .is_right = true, .field = "pid", .format = reply_print_exact },
	{ "HOW", 0, .is_elastic = true, .field = "how", .format = print_how, .tone = tone_of },
	{ "AGE", 3, .field = "age_ms", .format = reply_print_duration },
	{ "CPU", 5, .field = "cpu_ms", .format = reply_print_duration },
	{ "RSS", 6, .field = "max_rss", .format = print_size },
	{ "CONNS", 4, .field = "connections", .format = reply_print_count },
	{ "REDELIVERED", 8, .field = "redelivered", .format = reply_print_count },
	{ "LOST", 9, .field = "lost", .format = reply_print_count },
	{ "NEXT TRY", 7, .field = "next_try_ms", .format = reply_print_duration },
};

const struct table table_deaths = {
	.columns = columns,
	.n_columns = sizeof columns / sizeof *columns,
	.notes = print_notes,
};

const struct table table_deaths_verbose = {
	.columns = columns,
	.n_columns = sizeof columns / sizeof *columns,
	.notes = print_all_notes,
};
