/*
 * Two clocks. Durations and deadlines use the monotonic one, which no administrator can set;
 * only what a person reads uses the real one.
 */
#ifndef FDSUP_BASE_CLOCK_H
#define FDSUP_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t clock_now_ns(void);

/* CLOCK_MONOTONIC in milliseconds. */
uint64_t clock_now_ms(void);

/* CLOCK_REALTIME in milliseconds since 1970. */
int64_t clock_wall_ms(void);

enum { CLOCK_STAMP_SIZE = 32 };

/* RFC 3339 in UTC with milliseconds: 2026-03-01T12:00:00.000Z. Returns text. */
char *clock_format_stamp(char text[CLOCK_STAMP_SIZE], int64_t wall_ms);

#endif
