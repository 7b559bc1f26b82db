/*
 * Text of others on a terminal: harmless, and as wide as it claims to be. Width counts columns, not
 * bytes: a Chinese character takes two, a combining accent none.
 */
#ifndef FDSUP_CTL_DISPLAY_H
#define FDSUP_CTL_DISPLAY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * A copy, to be freed, in which nothing controls the terminal: text_escape, except that a backslash
 * stays single, since the daemon has escaped once already. What the terminal cannot show becomes
 * "?". NULL without memory.
 */
char *display_clean(const char *text, bool is_utf8);

/* Whether that changes nothing, and the width is the length: most text, of a hundred thousand cells perhaps. */
bool display_is_plain(const char *text);

/* The same of a text that is yet to be made: vprintf(3). */
char *display_format(bool is_utf8, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* Of cleaned text. */
unsigned display_width(const char *text);

/*
 * Prints cleaned text in at most `width` columns; what does not fit is cut and marked. Width 0: all
 * of it. Returns the columns that were used.
 */
unsigned display_print(FILE *out, const char *text, unsigned width, bool is_utf8);

#endif
