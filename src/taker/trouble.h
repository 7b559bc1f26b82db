/*
 * The target does not answer: said when it begins and when it is over, not for each connection.
 *
 * A target that fails and works by turns must not fill the log either: beginnings are said at most
 * once in TROUBLE_QUIET_MS. Knows no clock: the caller says what time it is.
 */
#ifndef FDSUP_TAKER_TROUBLE_H
#define FDSUP_TAKER_TROUBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TROUBLE_QUIET_MS = 10000 };

struct trouble {
	bool is_going_on;
	bool is_said;
	bool was_ever_said;
	uint64_t since_ms;
	uint64_t said_ms;
	size_t n_failed; /* since the beginning */
};

/* A connection failed. True: that is to be said now. */
bool trouble_failed(struct trouble *trouble, uint64_t now_ms);

/*
 * A connection succeeded. True: that a trouble is over is to be said now, with how many failed and
 * for how long.
 */
bool trouble_succeeded(
	struct trouble *trouble, uint64_t now_ms, size_t *ret_n_failed, uint64_t *ret_lasted_ms);

#endif
