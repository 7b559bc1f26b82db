/*
 * Fields of a reply, read with tolerance: a field that is absent, null or of another type is
 * unknown, never 0. Daemon and fdsupctl may be of different versions.
 */
#ifndef FDSUP_CTL_REPLY_H
#define FDSUP_CTL_REPLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* NULL: unknown. Borrowed. */
const char *reply_text(const json_t *object, const char *name);

/* False: unknown. */
bool reply_integer(const json_t *object, const char *name, json_int_t *ret);

/* True only if the field says so. */
bool reply_flag(const json_t *object, const char *name);

/* The following write a cell, or nothing: they are the formats of table columns. */
void reply_print_text(FILE *out, const json_t *object, const char *name);
void reply_print_count(FILE *out, const json_t *object, const char *name);
void reply_print_exact(FILE *out, const json_t *object, const char *name);
void reply_print_duration(FILE *out, const json_t *object, const char *name);
/* "3/4", or "3" without a limit. */
void reply_print_used(FILE *out, const json_t *object, const char *name);
/* The limit left out: "3". */
void reply_print_used_only(FILE *out, const json_t *object, const char *name);
void reply_print_rate(FILE *out, const json_t *object, const char *name);
/* "a, b, c", and in short "a +2". */
void reply_print_list(FILE *out, const json_t *object, const char *name);
void reply_print_list_short(FILE *out, const json_t *object, const char *name);

/* Whether `name` is an array whose members all are objects. */
bool reply_has_rows(const json_t *object, const char *name);

#endif
