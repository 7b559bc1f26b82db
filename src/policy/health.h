/*
 * Whether a service is well, and the words for it: what happened, its last words, what happens next
 * and when. The one place that turns facts into sentences, so that every listing tells the same.
 */
#ifndef FDSUP_POLICY_HEALTH_H
#define FDSUP_POLICY_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "policy/service_state.h"

/* Why we killed a worker that did not end of its own. */
enum health_killing {
	KILLED_BY_OTHERS,      /* we did not */
	KILLED_START_TIMEOUT,  /* it was not ready in time */
	KILLED_WATCHDOG_SILENT, /* it did not send WATCHDOG=1 */
	KILLED_WATCHDOG_IDLE,  /* connections waited, and it took none */
	KILLINGS,
};

/* The key, and what it asks for: "watchdog: it took no connection"; NULL of KILLED_BY_OTHERS. */
const char *health_killing_text(enum health_killing killing);

/* How the last worker ended. */
struct health_death {
	bool is_known;
	bool was_spawned;     /* false: it could not even be started */
	const char *error;    /* then: why, for people */
	bool was_ready;
	const char *program;  /* "worker" or "daemon" */
	const char *stage;    /* of a start that failed: "exec", "setgroups", ... */
	int pid;
	int status;           /* as waitpid(2) gives it; an errno if it was not started */
	enum health_killing killing;
	uint64_t age_ms;
	uint32_t times;       /* early deaths in a row */
	bool was_out_of_memory; /* killed by the kernel, since the service had used up what it may have */
	unsigned n_left_behind; /* processes of it that lived on: it had gone into the background */
};

struct health_facts {
	enum service_state state;
	bool is_wanted;
	uint64_t in_state_ms;
	bool is_acceptor_missing;
	bool is_queue_missing; /* clients wait for it, and it cannot be made */
	bool runs_commands;        /* a command for each connection, which has a status of its own */
	const char *command;       /* argv[0], for sentences */
	const char *worker_socket; /* where a worker of somebody else listens; NULL: they are ours */
	bool is_started_by_sockets; /* by what waits there, which its program takes by itself */
	enum sandbox sandbox;
	bool is_closed;            /* by hours */
	uint64_t opens_in_ms;      /* 0: not known, or never */
	uint32_t load_centi;       /* the load average of a minute, where there is a max_load */
	uint32_t max_load_centi;   /* 0: none */
	struct health_death death;
	uint64_t next_try_ms;      /* 0: none is planned */
	const char *last_words;    /* NULL: none */
	uint64_t last_words_age_ms;
	/* from the scoreboard */
	uint32_t failures_in_row;
	uint32_t failure_kind;     /* enum score_failure */
	int failure_status;
	int failure_pid;
	uint64_t failure_age_ms;
	uint64_t failure_duration_ms;
	uint32_t live;             /* of those, max_connections is about all but the held ones */
	uint32_t max_connections;
	uint32_t queue_limit;
	uint32_t n_working;
	uint32_t workers_max;
	bool refuses;              /* at a limit, instead of letting wait */
	uint32_t waiting;          /* connections in the queue */
	uint32_t held;             /* connections delayed in the acceptor */
	uint64_t oldest_waiting_ms;
	uint64_t oldest_ms;        /* age of the oldest live connection; 0: none */
	int oldest_pid;
	uint32_t paused;           /* enum score_pause */
	uint64_t paused_ms;
	uint64_t overflow_wait_ms;
	const char *awaited;        /* the service that it waits for before it is started; NULL: none */
	const char *missing;       /* an address that it cannot listen on yet, and why; NULL: none */
	const char *reload_failure; /* why a new configuration is not in force; NULL: it is */
};

enum { HEALTH_LINES = 6, HEALTH_LINE_SIZE = 256 };

struct health {
	enum service_state state; /* as shown: DEGRADED where the table of states cannot know it */
	bool is_healthy;
	uint64_t ill_ms; /* for so long it is not, as far as that is known; only of running ones */
	size_t n_lines;
	char lines[HEALTH_LINES][HEALTH_LINE_SIZE];
};

/* So many commands that ended badly, one after the other, make a service that is not well. */
enum { HEALTH_FAILURES = 3 };

/* Connections that count for max_connections. */
static inline uint32_t health_n_admitted(const struct health_facts *facts)
{
	return facts->live > facts->held ? facts->live - facts->held : 0;
}

/* The key by which every new client is refused at the moment; NULL: none does so. */
const char *health_refusing_key(const struct health_facts *facts);

/* What a program may lack that ends so, in its sandbox, and the keys for that; NULL: not because of it. */
const char *health_sandbox_hint(
	enum sandbox sandbox, int status, uint64_t age_ms, bool was_ready, enum health_killing killing);

void health_judge(const struct health_facts *facts, struct health *ret_health);

/* A status that waitpid(2) never gives: of a process that was not ours to wait for. */
enum { HEALTH_STATUS_SIZE = 64, HEALTH_STATUS_UNKNOWN = -1 };

enum { HEALTH_END_SIZE = HEALTH_STATUS_SIZE + 80 };

/* "exited 3 after 40ms", "killed by SIGKILL after 3.0s (start_timeout)". Returns text. */
char *health_format_end(
	char text[HEALTH_END_SIZE], int status, uint64_t age_ms, enum health_killing killing);

/* "exited 3", "killed by SIGSEGV (core dumped)", "ended in an unknown way". Returns text. */
char *health_format_status(char text[HEALTH_STATUS_SIZE], int status);

#endif
