/*
 * Numbers as people read them in a column: a few characters, the size at a glance. Exact values are
 * in the JSON.
 */
#ifndef FDSUP_CTL_NUMBER_H
#define FDSUP_CTL_NUMBER_H

#include <stdint.h>

enum { NUMBER_SIZE = 32 };

/* "901", "9999", "12k", "2.1M". Returns text. */
char *number_format_count(char text[NUMBER_SIZE], int64_t count);

/* In a second: "0/s", "0.1/s", "11.2/s", "345/s", "12k/s". Returns text. */
char *number_format_rate(char text[NUMBER_SIZE], double rate);

/* Local time to the second: "2026-03-01 12:00:03". Returns text. */
char *number_format_time(char text[NUMBER_SIZE], int64_t wall_ms);

#endif
