#include "admin/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 4096, DIGITS = 20 };

/* Where that many bytes may be written, and how many are is added to the length. NULL: nowhere. */
static char *reserve(struct json_text *text, size_t most)
{
	if (text->room - text->length >= most)
		return text->bytes + text->length;
	size_t room = text->room ? text->room : ROOM_FIRST;
	while (room - text->length < most)
		room *= 2;
	char *bytes = text->has_failed ? NULL : realloc(text->bytes, room);
	if (!bytes) {
		text->has_failed = true;
		return NULL;
	}
	text->bytes = bytes;
	text->room = room;
	return bytes + text->length;
}

static void add(struct json_text *text, const char *bytes, size_t n)
{
	char *to = reserve(text, n);
	if (!to)
		return;
	memcpy(to, bytes, n);
	text->length += n;
}

static void add_comma(struct json_text *text)
{
	if (text->needs_comma)
		add(text, ",", 1);
	text->needs_comma = true;
}

void json_text_bracket(struct json_text *text, char bracket)
{
	bool opens = bracket == '{' || bracket == '[';
	if (opens)
		add_comma(text);
	add(text, &bracket, 1);
	text->needs_comma = !opens;
}

void json_text_name(struct json_text *text, const char *name)
{
	size_t n = strlen(name);
	char *to = reserve(text, n + 4);
	if (!to)
		return;
	char *begin = to;
	if (text->needs_comma)
		*to++ = ',';
	*to++ = '"';
	memcpy(to, name, n);
	to += n;
	*to++ = '"';
	*to++ = ':';
	text->length += (size_t)(to - begin);
	text->needs_comma = false;
}

static bool needs_escape(char c)
{
	return (unsigned char)c < ' ' || c == '"' || c == '\\';
}

void json_text_string(struct json_text *text, const char *string)
{
	if (!string) {
		json_text_null(text);
		return;
	}
	add_comma(text);
	add(text, "\"", 1);
	for (const char *p = string; *p; p++) {
		const char *from = p;
		while (*p && !needs_escape(*p))
			p++;
		add(text, from, (size_t)(p - from));
		if (!*p)
			break;
		char escaped[8];
		add(text, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)*p));
	}
	add(text, "\"", 1);
}

void json_text_number(struct json_text *text, uint64_t number)
{
	char digits[DIGITS];
	size_t n = DIGITS;
	do
		digits[--n] = (char)('0' + number % 10);
	while (number /= 10);
	add_comma(text);
	add(text, digits + n, DIGITS - n);
}

void json_text_null(struct json_text *text)
{
	add_comma(text);
	add(text, "null", 4);
}

void json_text_boolean(struct json_text *text, bool is_true)
{
	add_comma(text);
	add(text, is_true ? "true" : "false", is_true ? 4 : 5);
}

void json_text_clear(struct json_text *text)
{
	text->length = 0;
	text->needs_comma = false;
}

void json_text_fini(struct json_text *text)
{
	free(text->bytes);
	*text = (struct json_text){ 0 };
}
