#include "ctl/reply.h"

#include <stdint.h>

#include "base/text.h"
#include "ctl/number.h"

const char *reply_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

bool reply_integer(const json_t *object, const char *name, json_int_t *ret)
{
	const json_t *value = json_object_get(object, name);
	if (!json_is_integer(value))
		return false;
	*ret = json_integer_value(value);
	return true;
}

bool reply_flag(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

void reply_print_text(FILE *out, const json_t *object, const char *name)
{
	const char *text = reply_text(object, name);
	if (text)
		fputs(text, out);
}

void reply_print_count(FILE *out, const json_t *object, const char *name)
{
	char text[NUMBER_SIZE];
	json_int_t count;
	if (reply_integer(object, name, &count))
		fputs(number_format_count(text, count), out);
}

void reply_print_exact(FILE *out, const json_t *object, const char *name)
{
	json_int_t number;
	if (reply_integer(object, name, &number))
		fprintf(out, "%" JSON_INTEGER_FORMAT, number);
}

void reply_print_duration(FILE *out, const json_t *object, const char *name)
{
	char text[TEXT_DURATION_SIZE];
	json_int_t ms;
	if (reply_integer(object, name, &ms) && ms >= 0)
		fputs(text_format_duration(text, (uint64_t)ms), out);
}

void reply_print_used(FILE *out, const json_t *object, const char *name)
{
	const json_t *both = json_object_get(object, name);
	json_int_t used, limit;
	if (!reply_integer(both, "used", &used))
		return;
	reply_print_count(out, both, "used");
	if (reply_integer(both, "limit", &limit) && limit > 0) {
		fputc('/', out);
		reply_print_count(out, both, "limit");
	}
}

void reply_print_used_only(FILE *out, const json_t *object, const char *name)
{
	reply_print_count(out, json_object_get(object, name), "used");
}

void reply_print_rate(FILE *out, const json_t *object, const char *name)
{
	char text[NUMBER_SIZE];
	const json_t *rate = json_object_get(object, name);
	if (json_is_number(rate))
		fputs(number_format_rate(text, json_number_value(rate)), out);
}

void reply_print_list(FILE *out, const json_t *object, const char *name)
{
	const json_t *list = json_object_get(object, name);
	const char *separator = "";
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (!text)
			continue;
		fprintf(out, "%s%s", separator, text);
		separator = ", ";
	}
}

void reply_print_list_short(FILE *out, const json_t *object, const char *name)
{
	const json_t *list = json_object_get(object, name);
	size_t n = json_array_size(list);
	const char *first = json_string_value(json_array_get(list, 0));
	if (first)
		fputs(first, out);
	if (n > 1)
		fprintf(out, " +%zu", n - 1);
}

bool reply_has_rows(const json_t *object, const char *name)
{
	const json_t *rows = json_object_get(object, name);
	for (size_t i = 0; i < json_array_size(rows); i++)
		if (!json_is_object(json_array_get(rows, i)))
			return false;
	return json_is_array(rows);
}
