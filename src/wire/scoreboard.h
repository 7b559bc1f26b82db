/*
 * The scoreboard: counters of every service in memory shared by the supervisor and one acceptor.
 *
 * The acceptor writes, the supervisor reads whenever somebody asks, without a message and without
 * waiting; the counters outlive the acceptor, and the next one counts on. Single values are atomic,
 * a row as a whole is not: each number is true, two numbers may be an instant apart. The acceptor
 * is not trusted: for the supervisor these are numbers to show, never offsets or sizes.
 */
#ifndef FDSUP_WIRE_SCOREBOARD_H
#define FDSUP_WIRE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Why the listeners of a service are not polled: bits of score.paused. */
enum score_pause {
	SCORE_PAUSED_FULL = 1,        /* max_connections */
	SCORE_PAUSED_RATE = 2,        /* rate */
	SCORE_PAUSED_QUEUE = 4,       /* the queue has no room */
	SCORE_PAUSED_HELD = 8,        /* too many connections wait for max_per_source or rate_per_source */
	SCORE_PAUSED_DESCRIPTORS = 16, /* none is free */
	SCORE_PAUSED_ADMIN = 32,      /* told so by the supervisor */
	SCORE_PAUSED_NO_QUEUE = 64,   /* a client has come, and the queue is being made */
	SCORE_PAUSED_NO_ACCESS = 128, /* who may connect is not known yet */
};

/* What the last bad end of a command was: score.failure_kind. */
enum score_failure {
	SCORE_FAILURE_NONE,
	SCORE_FAILURE_STATUS, /* ended with failure_status as waitpid(2) gives it, not 0 */
	SCORE_FAILURE_EXEC,   /* could not be started: failure_status is the errno */
};

/* One service. The totals only grow. All times are CLOCK_MONOTONIC in ns, 0 for "none". */
struct score {
	_Atomic uint64_t accepted;      /* taken from the kernel */
	_Atomic uint64_t handed;        /* handed off to the queue */
	_Atomic uint64_t served;        /* ended after a worker had started on them, whatever the status */
	_Atomic uint64_t refused;       /* closed by admission, before any process knew them */
	_Atomic uint64_t lost;          /* accepted, not refused, and never served */
	_Atomic uint64_t failed;        /* of those served: status not 0, or killed by a signal */
	_Atomic uint64_t exec_failed;   /* of those lost: the command could not be started */
	_Atomic uint32_t live;          /* accepted and not yet ended, queued ones included */
	_Atomic uint32_t waiting;       /* of those: handed off, and nobody has reported them taken */
	_Atomic uint32_t held;          /* of those: not yet handed off, delayed by a limit */
	_Atomic uint32_t paused;        /* enum score_pause */
	_Atomic uint64_t paused_ns;     /* since when */
	_Atomic uint64_t oldest_ns;     /* when the oldest live connection was accepted */
	_Atomic uint64_t oldest_waiting_ns;
	_Atomic int32_t oldest_pid;     /* who serves the oldest, 0 unknown */
	_Atomic uint32_t failures_in_row; /* commands that ended badly since one ended well */
	_Atomic uint32_t failure_kind;  /* enum score_failure, of the last */
	_Atomic int32_t failure_status;
	_Atomic int32_t failure_pid;
	_Atomic uint64_t failure_ns;
	_Atomic uint64_t failure_duration_us;
	_Atomic uint64_t redelivered;   /* handed off once more, since the worker that had one died */
	_Atomic uint64_t uncovered;     /* handed off without a slot or a copy: all were in use */
	_Atomic uint64_t lapsed;        /* of those served: ended by first_byte_timeout, silence_timeout or
	                                   max_duration */
	_Atomic uint64_t rate_ns;       /* when rate_milli was last brought up to date */
	_Atomic uint64_t rate_milli;    /* connections in 1000 s, decaying with a time constant of 10 s */
	_Atomic uint64_t rate_full_ns;  /* when all tokens of `rate` will have come back: policy/bucket.h */
	_Atomic uint64_t source_rate_full_ns; /* the same of the source that has used most of its own */
	_Atomic uint32_t most_per_source; /* live connections of the source that has most */
	_Atomic uint32_t refused_rule;  /* of the last one refused: score_rule_name() */
	_Atomic uint64_t refused_ns;    /* and when that was */
};

enum { SCOREBOARD_SLOTS = 8192, SCORE_SIZE = 256 };

union score_slot {
	struct score score;
	char padding[SCORE_SIZE]; /* services do not share a cache line */
};
_Static_assert(sizeof(struct score) <= SCORE_SIZE, "a row fits its slot");

/* What the acceptor learns from the kernel: bits of ledger_parts. */
enum score_ledger {
	SCORE_LEDGER_NOTICES = 1,  /* the ends of connections */
	SCORE_LEDGER_LOOK_UPS = 2, /* their state now */
	SCORE_LEDGER_ASKED = 4,    /* of their ends it is asked for now: it has notices, and rests from them */
};

/* Rows that lie in one page of 4096 bytes, and the words of a bit for each such page. */
enum { SCOREBOARD_PAGE_ROWS = 16, SCOREBOARD_MARKS = SCOREBOARD_SLOTS / SCOREBOARD_PAGE_ROWS / 64 + 1 };

struct scoreboard_head {
	_Atomic uint64_t alive_ns; /* the acceptor's loop was last seen turning */
	_Atomic uint32_t ledger_parts;
	_Atomic uint32_t has_marks; /* 0: made by a version that knew none */
	_Atomic uint64_t marks[SCOREBOARD_MARKS]; /* pages in which a row is taken; never cleared */
};

struct scoreboard {
	union {
		struct scoreboard_head head;
		char padding[SCORE_SIZE];
	};
	union score_slot slots[SCOREBOARD_SLOTS];
};
_Static_assert(sizeof(struct scoreboard_head) <= SCORE_SIZE, "the rows lie where they always lay");

/*
 * Makes a scoreboard in a memfd that nobody can shrink (a shrunk one would kill its readers with
 * SIGBUS). Pages that no service uses cost nothing. 0 or -errno; *ret_fd is the caller's.
 */
int scoreboard_create(int *ret_fd, struct scoreboard **ret_board);

/* Maps a scoreboard that was handed to us. -EINVAL if the descriptor is none. */
int scoreboard_map(int fd, struct scoreboard **ret_board);
void scoreboard_unmap(struct scoreboard *board);

/*
 * What refuses connections, as a number: the key of the configuration, or "memory", "stopped". 0 and NULL
 * for what is none of them; the number may come from a process that is not trusted.
 */
uint32_t score_rule_of(const char *name);
const char *score_rule_name(uint32_t rule);

/*
 * Most of hundreds of services are at rest, and what would be said of them is zero: a row that nobody
 * has taken is not even looked at, since that would cost its page.
 */
bool scoreboard_has_row(const struct scoreboard *board, uint32_t slot);

/* To be read; zeros for a row that is not there. */
const struct score *scoreboard_row(const struct scoreboard *board, uint32_t slot);

/* To be written from now on. */
struct score *scoreboard_take_row(struct scoreboard *board, uint32_t slot);

/* The row of a new service starts from zero. */
void scoreboard_clear(struct scoreboard *board, uint32_t slot);

/* Plain reading and writing of one value; there is one writer. */
#define score_get(field)        atomic_load_explicit(&(field), memory_order_relaxed)
#define score_set(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define score_add(field, value) score_set(field, score_get(field) + (value))

/* Connections a second at `now_ns`, from rate_milli and rate_ns. */
double score_rate(const struct score *score, uint64_t now_ns);

/* Counts one connection into the rate. */
void score_count_rate(struct score *score, uint64_t now_ns);

#endif
