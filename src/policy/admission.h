/*
 * Whether a connection may go to a worker now, must wait, or is refused: the limits of one service.
 *
 * Two questions. The gate is asked before accept(2): as long as max_connections or rate is used up,
 * the kernel's backlog is the best place to wait. What depends on the source is known only after
 * accept(2): such a connection is held, so that those behind it need not wait for it.
 *
 * Held connections have a bounded number of places, shared so that a flood from one source leaves
 * room for the others. A quarter is kept for the first connection of a source that holds none. Of
 * the rest a source may hold at most as many as are still free (the dynamic threshold of Choudhury
 * and Hahne): three eighths of all for one that floods alone, less for each the more there are.
 * What a source brings beyond is refused at once.
 *
 * Those of one source wait in line, as long as rate_per_source serves the line within a second. A longer
 * one is a flood: most of it has been given up by whoever sent it, so the newest goes first, and takes
 * the place of the oldest. Once the flood is over its sender is served with the next token.
 */
#ifndef FDSUP_POLICY_ADMISSION_H
#define FDSUP_POLICY_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "policy/bucket.h"
#include "policy/sources.h"

struct admission_limits {
	uint32_t max_connections; /* 0: none; so are those below */
	uint32_t max_per_source;
	struct bucket_rule rate;
	struct bucket_rule rate_per_source;
	enum overflow_rule overflow;
	uint32_t held_max; /* places for held connections */
};

struct admission {
	const struct admission_limits *limits; /* borrowed */
	struct bucket bucket;
	struct sources *sources; /* NULL until a limit asks for sources */
	uint64_t seed;
	uint32_t live; /* admitted and not ended */
	uint32_t held;
	uint32_t unknown; /* admitted by another acceptor; only their number is known */
};

/* Which limit was decisive. */
enum admission_limit {
	ADMISSION_WITHIN,
	ADMISSION_MAX_CONNECTIONS,
	ADMISSION_RATE,
	ADMISSION_MAX_PER_SOURCE,
	ADMISSION_RATE_PER_SOURCE,
};
const char *admission_limit_key(enum admission_limit limit);

enum admission_verdict {
	ADMISSION_ADMIT,
	ADMISSION_HOLD,
	ADMISSION_HOLD_NEWEST, /* hold it, and refuse the oldest held one of its source */
	ADMISSION_REFUSE,
};

struct admission_answer {
	enum admission_verdict verdict;
	enum admission_limit limit;
};

void admission_init(struct admission *admission, uint64_t seed);
void admission_fini(struct admission *admission);

/*
 * New limits, which must live on, hold for what comes; nothing that is admitted is touched. Connections
 * admitted before a service had limits for sources count as the crowd's. 0 or -ENOMEM: then nothing has
 * changed.
 */
int admission_set_limits(
	struct admission *admission, const struct admission_limits *limits, uint64_t now_ns);

/*
 * Before accept(2): bits of enum score_pause, 0 to go on. With SCORE_PAUSED_RATE, *ret_open_ns is
 * when the next token is due; else it is UINT64_MAX: ask again when a connection has ended.
 */
uint32_t admission_gate(const struct admission *admission, uint64_t now_ns, uint64_t *ret_open_ns);

/*
 * Whether `n` more can come from anywhere without meeting max_connections or max_per_source: then it
 * makes no difference to them whether one that ended just now is still counted.
 */
bool admission_has_room(const struct admission *admission, uint32_t n);

/* The place to count a connection from there under; SOURCE_CROWD while no limit asks for it. */
uint32_t admission_source(
	struct admission *admission, const struct endpoint *peer, uint64_t now_ns);

/* A connection has been accepted. What the answer says is counted already. */
struct admission_answer admission_arrive(
	struct admission *admission, uint32_t source, uint64_t now_ns);

/*
 * Tries to admit a held connection. If it must go on waiting: *ret_again_ns is when to ask again,
 * UINT64_MAX when only the end of another connection can help.
 */
struct admission_answer admission_retry(
	struct admission *admission, uint32_t source, uint64_t now_ns, uint64_t *ret_again_ns);

/* Whether the held connections of a source are more than a line: the newest of them goes first. */
bool admission_is_flooding(const struct admission *admission, uint32_t source);

/* A connection is held whatever the limits: another acceptor had accepted it. */
void admission_hold(struct admission *admission, uint32_t source);

/* A held connection is refused after all. */
void admission_give_up(struct admission *admission, uint32_t source, uint64_t now_ns);

/* A connection that is admitted whatever the limits: another acceptor had admitted it. */
void admission_adopt(struct admission *admission, uint32_t source);

/* They count for max_connections. The caller lowers the number as it learns of them. */
void admission_set_unknown(struct admission *admission, uint32_t n);

/* An admitted connection has ended. True if a held one may go now: retry them. */
bool admission_end(struct admission *admission, uint32_t source, uint64_t now_ns);

#endif
