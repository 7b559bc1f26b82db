/*
 * Listings: rows of JSON in columns that fit the terminal.
 *
 * A column knows its name, how a cell is made from a row, and how much it matters. Where the width
 * is short, whole columns give way to those that matter more; nothing ever wraps.
 */
#ifndef FDSUP_CTL_TABLE_H
#define FDSUP_CTL_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ctl/look.h"
#include "ctl/records.h"

enum { TABLE_COLUMNS_MAX = 24, TABLE_GAP = 2 };

struct table_column {
	const char *name;
	unsigned rank; /* the highest is dropped first; 0 stays to the end */
	bool is_right;
	bool is_elastic; /* is cut to a few characters before another column is dropped */
	const char *field;
	/* Writes anything: the table cleans it. Nothing written: "-", the sign for unknown. */
	void (*format)(FILE *cell, const json_t *row, const char *field);
	void (*format_short)(
		FILE *cell, const json_t *row, const char *field); /* on terminals; or NULL */
	enum tone (*tone)(const json_t *row);                      /* or NULL */
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	const char *const *states; /* those that --state takes, up to a NULL; or NULL */
	const char *(*symbol)(const json_t *row, bool is_utf8); /* before each row; or NULL */
	enum tone (*symbol_tone)(const json_t *row);
	void (*notes)(FILE *out, const json_t *row,
		const struct look *look); /* lines below a row; or NULL */
};

/* Which columns, in which order. */
struct table_choice {
	const struct table_column *columns[TABLE_COLUMNS_MAX];
	size_t n;
	bool is_given; /* with -o: the columns and nothing else */
};

/*
 * From the argument of -o, or all columns for NULL. Case does not matter, and "-" or "_" stand for
 * the blank of a name. False for an unknown name; it is in *ret_unknown, to be freed.
 */
bool table_choose(const struct table *table, const char *names, struct table_choice *ret_choice,
	char **ret_unknown);

/* By a name as -o takes it; NULL: there is none. */
const struct table_column *table_find(const struct table *table, const char *name);

/* The names as -o takes them, separated by blanks. */
void table_print_names(FILE *out, const struct table *table);

/* The same as a text, to be freed; NULL without memory. */
char *table_names(const struct table *table);

/*
 * What fits into `width` columns (0: no limit): drops and narrows. `widths` holds the natural
 * widths of the chosen columns, and afterwards those to be used. Pure.
 */
void table_fit(struct table_choice *choice, unsigned widths[], unsigned width);

void table_print(FILE *out, const struct table *table, const struct table_choice *choice,
	const json_t *rows, const struct look *look);
void table_print_records(FILE *out, const struct table *table, const struct table_choice *choice,
	struct records *rows, const struct look *look);

#endif
