/*
 * A worker process of a service: started, told to finish or to end, and gone.
 */
#ifndef FDSUP_SUPERVISOR_WORKER_H
#define FDSUP_SUPERVISOR_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/health.h"
#include "supervisor/children.h"

struct ready_pipe;
struct service;

enum worker_state {
	WORKER_STARTING, /* runs, and has not yet said that it is ready */
	WORKER_READY,
	WORKER_DRAINING, /* takes no more connections, finishes those it has */
	WORKER_STOPPING, /* told to end */
};

struct worker {
	struct worker *next; /* list: of the workers of a service */
	struct service *service;
	struct child child;
	int pid;               /* child.pid is 0 once it was reaped; this is not */
	enum worker_state state;
	unsigned generation;
	char *command;         /* what it was started with; owned */
	double share;          /* of max_age and max_rss: its own ones, so that not all go together */
	const char *renew_why; /* what its timer stands for while it is ready: a constant */
	bool is_placeless;     /* tried a new configuration, and is to replace one with the old */
	struct worker *replaces; /* is drained as soon as this one is ready; NULL: none */
	struct rusage usage;   /* once it has ended */
	enum health_killing killing; /* why we kill it, before we do */
	uint64_t started_ms;
	uint64_t ready_ms;     /* 0: it is not */
	uint64_t taken_before; /* connections that the service's workers had taken when it started */
	ev_timer timer;        /* what it stands for follows from the state: see on_timer */
	ev_timer watchdog;     /* active once it has sent WATCHDOG=1 */
	struct ready_pipe *ready_pipe; /* with ready = "fd", until it is ready; owned; else NULL */
	uint64_t due_ms;       /* restoring: when the timer is due, 0: never; */
	bool has_watchdog;     /* whether the watchdog was active; */
	int replaces_pid;      /* and the pid of `replaces` */
	uint32_t n_counted;    /* its connections, in surplus.c */
	bool has_slots;        /* it has said how many more connections it could serve: */
	uint32_t n_slots;
	char *status;          /* STATUS= as it last told, escaped; owned; NULL: nothing */
};

/* Without a process, and not in the list of the service. NULL without memory. */
struct worker *worker_create(struct service *service);

/* What it stands for follows from the state; 0: it is stopped. */
void worker_set_timer(struct worker *worker, uint64_t ms);

/*
 * Adds a worker to the service and starts its process. n_others: how many it will have beside it, without
 * those whose place it takes. 0 or -errno with the step that failed.
 */
int worker_start(struct service *service, uint32_t n_others, const char **ret_step);

/* The process is gone. */
void worker_free(struct worker *worker);

/* Ends it: the stop signal, and KILL after the stop_timeout. Once more: KILL at once. */
void worker_stop(struct worker *worker);

/* Why none could be started, for people, until the next call. */
const char *worker_start_error(const struct service *service, int error);

/* Lets it finish what it has. A daemon cannot: it is stopped. */
void worker_drain(struct worker *worker);

/* What it told through NOTIFY_SOCKET or its pipe. `text` is as it came. */
void worker_on_ready(struct worker *worker);
void worker_on_status(struct worker *worker, const char *text);
void worker_on_slots(struct worker *worker, uint32_t n);
void worker_on_watchdog(struct worker *worker);

/* It has had as many connections as max_uses says. */
void worker_on_worn(struct worker *worker);

/* A worker that is ready is replaced after so long. `why` is a constant. */
void worker_renew_after(struct worker *worker, uint64_t ms, const char *why);

/* Takes connections, or will as soon as it is ready. */
bool worker_is_working(const struct worker *worker);

/* Asks it to report its running commands again, for a new acceptor. */
void worker_ask_reports(struct worker *worker);

/* As whom the workers of a service run; the service's. */
const struct account *worker_account(const struct service *service);

/* What people call a process of the service: "worker" or "daemon". */
const char *worker_noun(const struct service *service);

const char *worker_state_name(enum worker_state state);

#endif
