/*
 * When a service is open: the key hours. Decided by the clock on the wall: on the day on which the
 * clock is put forward, a window that begins in the missing hour begins after it, and on the day on
 * which it is put back, the hour that comes twice counts twice.
 */
#ifndef FDSUP_POLICY_HOURS_H
#define FDSUP_POLICY_HOURS_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/hours.h"

/* No windows: always open. `wall_s` is seconds since 1970. */
bool hours_are_open(const struct window *windows, size_t n, const struct zone *zone, int64_t wall_s);

/* When that changes next; INT64_MAX: never. */
int64_t hours_next_change(
	const struct window *windows, size_t n, const struct zone *zone, int64_t wall_s);

#endif
