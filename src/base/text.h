/*
 * Text as people write and read it: durations, sizes, escaped strings, names that resemble.
 */
#ifndef FDSUP_BASE_TEXT_H
#define FDSUP_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * "500ms", "10s", "5min", "2h", "1d" or a bare number of seconds ("0.5"), to milliseconds.
 * 0, -EINVAL (not a duration), -ERANGE (negative, or above 10 years).
 */
int text_parse_duration(const char *text, uint64_t *ret_ms);

/* "64K", "1M", "2G" (powers of 1024) or a bare number of bytes. 0, -EINVAL, -ERANGE. */
int text_parse_size(const char *text, uint64_t *ret_bytes);

/* Octal permission bits written as "0660"; at most 07777. 0, -EINVAL. */
int text_parse_mode(const char *text, unsigned *ret_mode);

enum { TEXT_DURATION_SIZE = 24 };

/* For people, at most three characters of number: "40ms", "3.2s", "14min", "12d". Returns text. */
char *text_format_duration(char text[TEXT_DURATION_SIZE], uint64_t ms);

enum { TEXT_SIZE_SIZE = 24 };

/* For people: "512", "64.0K", "213.4M", "1.5G" (powers of 1024). Returns text. */
char *text_format_size(char text[TEXT_SIZE_SIZE], uint64_t bytes);

/*
 * Copies a string of unknown origin so that it is safe in a log line and on a terminal: printable
 * ASCII and valid UTF-8 stay, all else becomes \xHH, a backslash is doubled. Always terminated; a
 * result that does not fit ends in "...". Returns the length of the result.
 */
size_t text_escape(char *result, size_t size, const char *bytes, size_t length);

/*
 * How many bytes of the UTF-8 text to take so that there are no more than `most` and none of a character
 * that is cut: what is cut within one is no text any more, and JSON would not carry it.
 */
size_t text_whole_length(const char *text, size_t most);

/* Of the n names the one most like `word`, or NULL if none is close. */
const char *text_closest(const char *word, const char *const names[], size_t n);

#endif
