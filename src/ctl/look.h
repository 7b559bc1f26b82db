/*
 * What the output can show: how wide, with which characters, with colour or not.
 *
 * Only on a terminal is anything cut, coloured or decorated; a pipe gets every word in full.
 */
#ifndef FDSUP_CTL_LOOK_H
#define FDSUP_CTL_LOOK_H

#include <stdbool.h>
#include <stdio.h>

struct look {
	unsigned width; /* 0: no limit */
	bool is_utf8;
	bool has_colour;
	bool has_symbols;
};

enum tone { TONE_PLAIN, TONE_HEAD, TONE_GOOD, TONE_WARNING, TONE_BAD, TONE_QUIET };

/* Of a descriptor and the environment: COLUMNS, NO_COLOR, TERM, the locale (which it sets). */
struct look look_of(int fd);

/* The sequences around coloured text; "" where there is no colour. */
const char *look_begin(const struct look *look, enum tone tone);
const char *look_end(const struct look *look, enum tone tone);

/* One line, cleaned and cut. */
void look_print_line(FILE *out, const struct look *look, enum tone tone, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
