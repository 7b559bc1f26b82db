/*
 * A field becomes text in the language of the file, so that what is shown can be loaded again.
 */
#include "config/value.h"

#include <ctype.h>
#include <string.h>

#include "config/rate.h"

static void print_quoted(const char *text, FILE *out)
{
	static const char special[] = "\"\\\n\r\t\f", letters[] = "\"\\nrtf";
	fputc('"', out);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		const char *at = strchr(special, *p);
		if (at)
			fprintf(out, "\\%c", letters[at - special]);
		else if (*p < 0x20 || *p == 0x7f)
			fprintf(out, "\\x%02x", *p);
		else
			fputc(*p, out);
	}
	fputc('"', out);
}

void format_boolean(const struct config_key *key, const void *field, FILE *out)
{
	(void)key;
	fputs(*(const bool *)field ? "true" : "false", out);
}

void format_integer(const struct config_key *key, const void *field, FILE *out)
{
	(void)key;
	fprintf(out, "%d", *(const int32_t *)field);
}

void format_number(const struct config_key *key, const void *field, FILE *out)
{
	(void)key;
	fprintf(out, "%.9g", *(const double *)field);
}

void format_duration(const struct config_key *key, const void *field, FILE *out)
{
	(void)key;
	char text[DURATION_EXACT_SIZE];
	print_quoted(duration_format_exact(text, *(const uint64_t *)field), out);
}

/* In the largest unit that loses nothing. As a text: a number has but 32 bits. */
void format_size(const struct config_key *key, const void *field, FILE *out)
{
	(void)key;
	static const char *const units[] = { "", "K", "M", "G", "T" };
	unsigned long long number = *(const uint64_t *)field;
	size_t unit = 0;
	while (number && number % 1024 == 0 && unit + 1 < sizeof units / sizeof *units) {
		number /= 1024;
		unit++;
	}
	fprintf(out, "\"%llu%s\"", number, units[unit]);
}

void format_mode(const struct config_key *key, const void *field, FILE *out)
{
	(void)key;
	fprintf(out, "\"%04o\"", *(const uint32_t *)field);
}

void format_signal(const struct config_key *key, const void *field, FILE *out)
{
	(void)key;
	int number = *(const int32_t *)field;
	for (const struct key_name *name = signal_names; name->name; name++)
		if (name->value == number) {
			print_quoted(name->name, out);
			return;
		}
	fprintf(out, "%d", number);
}

void format_rate(const struct config_key *key, const void *field, FILE *out)
{
	(void)key;
	char text[RATE_TEXT_SIZE];
	print_quoted(rate_format(text, field), out);
}

void format_enum(const struct config_key *key, const void *field, FILE *out)
{
	for (const struct key_name *name = key->names; name->name; name++)
		if (name->value == *(const int *)field)
			print_quoted(name->name, out);
}

void format_flags(const struct config_key *key, const void *field, FILE *out)
{
	const char *before = "[ ";
	for (const struct key_name *name = key->names; name->name; name++) {
		if (!(*(const uint32_t *)field & (uint32_t)name->value))
			continue;
		fputs(before, out);
		print_quoted(name->name, out);
		before = ", ";
	}
	fputs(*before == '[' ? "[ ]" : " ]", out);
}

void format_string(const struct config_key *key, const void *field, FILE *out)
{
	(void)key;
	print_quoted(*(char *const *)field, out);
}

void format_port(const struct config_key *key, const void *field, FILE *out)
{
	const char *port = *(char *const *)field;
	if (isdigit((unsigned char)*port) && !port[strspn(port, "0123456789")])
		fputs(port + strspn(port, "0"), out);
	else
		format_string(key, field, out);
}

void format_strings(const struct config_key *key, const void *field, FILE *out)
{
	(void)key;
	const struct text_list *list = field;
	fputc('[', out);
	for (size_t i = 0; i < list->n; i++) {
		fputs(i ? ", " : " ", out);
		print_quoted(list->items[i], out);
	}
	fputs(" ]", out);
}
