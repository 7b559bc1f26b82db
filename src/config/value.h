/*
 * Values: what was written becomes a field, a field becomes text again, and two fields compare.
 * One row for each kind of key in value.c; nothing here knows a single key, nor libconfig.
 */
#ifndef FDSUP_CONFIG_VALUE_H
#define FDSUP_CONFIG_VALUE_H

#include <stdio.h>

#include "config/keys.h"

/* What the file can hold, as bits. */
enum literal_type {
	LITERAL_INTEGER = 1,
	LITERAL_REAL = 2,
	LITERAL_BOOLEAN = 4,
	LITERAL_STRING = 8,
	LITERAL_LIST = 16,  /* of strings */
	LITERAL_MIXED = 32, /* a list of anything else: no key takes it */
	LITERAL_GROUP = 64,
};

/* A value as written. */
struct literal {
	enum literal_type type;
	const char *text;         /* of one value: "10", "0.5", "true" or the string */
	const char *const *items; /* of a list */
	size_t n;
};

enum { VALUE_REASON_SIZE = 256, VALUE_STRING_MAX = 16384 };

/*
 * Reads the literal into *field, which held a value of this kind before. 0, -ENOMEM, or -EINVAL
 * with the reason and the remedy; then *field is as it was.
 */
int value_parse(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE]);

/* The same, to see whether it could be read. */
int value_check(const struct config_key *key, const struct literal *literal,
	char reason[VALUE_REASON_SIZE]);

/* Gives *field, which holds zeros, the default of the key. 0 or -ENOMEM. */
int value_set_default(const struct config_key *key, void *field);

/* Writes the field in the language of the file. */
void value_format(const struct config_key *key, const void *field, FILE *out);

/* Whether a kind without a default has no value: it is not shown then. */
bool value_is_absent(const struct config_key *key, const void *field);

/* Copies what *field owns after the struct around it was copied as it is. 0; or -ENOMEM, zeros. */
int value_copy_owned(const struct config_key *key, void *field);

/* The string or the list that the field owns; NULL if its kind owns none. */
char **value_owned_text(const struct config_key *key, void *field);
struct text_list *value_owned_list(const struct config_key *key, void *field);

bool value_equal(const struct config_key *key, const void *a, const void *b);

/* Frees what the field owns and leaves zeros. */
void value_fini(const struct config_key *key, void *field);

/* For value.c alone: each reads a literal of a type its kind accepts into *field (zeros before). */
typedef int value_parser(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE]);
value_parser parse_boolean, parse_integer, parse_number, parse_duration, parse_size, parse_limit, parse_capabilities,
	parse_mode, parse_signal, parse_rate, parse_deaths, parse_enum, parse_flags, parse_string,
	parse_path, parse_socket, parse_id, parse_port, parse_strings, parse_command;

/* Likewise: writes a field. */
typedef void value_formatter(const struct config_key *key, const void *field, FILE *out);
value_formatter format_boolean, format_integer, format_number, format_duration, format_size, format_limit,
	format_capabilities, format_mode, format_signal,
	format_rate, format_enum, format_flags, format_string, format_port, format_strings;

/* "net_raw", of the bits of KEY_CAPABILITIES. */
const char *capability_name(int number);

/* The signals that have a name here, ended by a NULL. */
extern const struct key_name signal_names[];

#endif
