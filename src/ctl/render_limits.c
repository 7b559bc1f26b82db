/* How much of each of its limits a service uses, in two lines. */
#include "ctl/render.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/number.h"
#include "ctl/reply.h"

/* Whole numbers as they are, a load with its fraction, "-" for what is not known. */
static void print_number(FILE *out, const json_t *number)
{
	if (json_is_integer(number))
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
	else if (json_is_real(number))
		fprintf(out, "%.2f", json_real_value(number));
	else
		fputc('-', out);
}

static void print_hours(FILE *out, const json_t *limit)
{
	char when[NUMBER_SIZE];
	json_int_t changes_at;
	fputs(reply_flag(limit, "open") ? "hours open" : "hours closed", out);
	if (reply_integer(limit, "changes_at", &changes_at))
		fprintf(out, " until %s", number_format_time(when, changes_at));
}

static void print_limit(FILE *out, const json_t *limit, const char *key)
{
	if (!strcmp(key, "hours")) {
		print_hours(out, limit);
		return;
	}
	fprintf(out, "%s ", key);
	print_number(out, json_object_get(limit, "used"));
	fputc('/', out);
	print_number(out, json_object_get(limit, "limit"));
}

/* Those that depend on the time and the machine have a line of their own. */
static bool is_of_circumstances(const char *key)
{
	return !strcmp(key, "hours") || !strcmp(key, "max_load");
}

static void print_line(FILE *out, const json_t *limits, bool of_circumstances, const struct look *look)
{
	char *text = NULL;
	size_t size, n = 0;
	FILE *line = open_memstream(&text, &size);
	if (!line)
		return;
	for (size_t i = 0; i < json_array_size(limits); i++) {
		const json_t *limit = json_array_get(limits, i);
		const char *key = reply_text(limit, "key");
		if (!key || is_of_circumstances(key) != of_circumstances)
			continue;
		fputs(n++ ? ", " : "", line);
		print_limit(line, limit, key);
	}
	if (fclose(line) == 0 && n)
		look_print_line(out, look, TONE_PLAIN, "    %s", text);
	free(text);
}

void render_limits(FILE *out, const json_t *service, const struct look *look)
{
	const json_t *limits = json_object_get(service, "limits");
	print_line(out, limits, true, look);
	print_line(out, limits, false, look);
}
