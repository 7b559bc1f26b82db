/*
 * JSON that is written and never looked at: an answer of ten thousand rows is made as text at once, since
 * a tree of values for it costs ten times as much.
 *
 * Objects, arrays and members are written in their order; commas come by themselves. Without memory
 * everything is dropped from there on, and `has_failed` says so.
 */
#ifndef FDSUP_ADMIN_JSON_TEXT_H
#define FDSUP_ADMIN_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros: empty. */
struct json_text {
	char *bytes;
	size_t length, room;
	bool needs_comma;
	bool has_failed;
};

/* A bracket: one of "{", "}", "[", "]". */
void json_text_bracket(struct json_text *text, char bracket);

/* A member's name, which needs no escaping; its value is to follow. */
void json_text_name(struct json_text *text, const char *name);

/* Valid UTF-8, or NULL for null. */
void json_text_string(struct json_text *text, const char *string);
void json_text_number(struct json_text *text, uint64_t number);
void json_text_null(struct json_text *text);
void json_text_boolean(struct json_text *text, bool is_true);

/* Empty again, with its memory. */
void json_text_clear(struct json_text *text);
void json_text_fini(struct json_text *text);

#endif
