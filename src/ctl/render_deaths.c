/* Deaths: a line each, and below it what is left of it: its core file, its last words. */
#include "ctl/render.h"

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

static void print_words(FILE *out, const json_t *row, size_t n_shown, const struct look *look)
{
	const char *core = reply_text(row, "core"), *no_core = reply_text(row, "no_core");
	const json_t *words = json_object_get(row, "stderr");
	size_t n = json_array_size(words);
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
	{ "HOW", 0, .is_elastic = true, .field = "how", .format = reply_print_text, .tone = tone_of },
	{ "AGE", 3, .field = "age_ms", .format = reply_print_duration },
	{ "CPU", 5, .field = "cpu_ms", .format = reply_print_duration },
	{ "RSS", 6, .field = "max_rss", .format = print_size },
	{ "CONNS", 4, .field = "connections", .format = reply_print_count },
	{ "REDELIVERED", 8, .field = "redelivered", .format = reply_print_count },
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
