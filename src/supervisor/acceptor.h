/*
 * An acceptor process as the supervisor sees it: started, told of services and listeners, and
 * replaced when it dies. What it counts lives on the scoreboard, which outlives it.
 */
#ifndef FDSUP_SUPERVISOR_ACCEPTOR_H
#define FDSUP_SUPERVISOR_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/backoff.h"
#include "policy/heartbeat.h"
#include "supervisor/children.h"
#include "wire/channel.h"
#include "wire/control.h"
#include "wire/scoreboard.h"

struct supervisor;
struct capture;

struct acceptor {
	struct supervisor *supervisor;
	struct child child;
	unsigned number;              /* of `acceptors`, from 0 */
	pid_t group;                  /* of the last process and its guard */
	struct channel channel;
	ev_io readable;
	ev_io writable;               /* active while the channel has a backlog */
	ev_timer retry;
	ev_timer pulse;               /* whether it still turns: pulse.h */
	struct heartbeat heartbeat;
	uint32_t asked_sync;          /* the confirmation that it was asked for to see that */
	struct backoff backoff;
	struct capture *capture;
	struct scoreboard *board;
	int board_fd;
	int estate_out;               /* where each process leaves to the next what it has, */
	int estate_in;                /* and where that finds it: wire/estate.h */
	uint8_t *used_slots;          /* a byte a slot */
	uint32_t n_services;
	uint32_t n_syncs;             /* confirmations asked for */
	uint32_t n_synced;            /* the last one that came */
	bool is_ready;
	struct confinement confinement; /* as it told, once it is ready */
	bool is_missing_told;         /* what of its confinement this system lacks; once for all */
	bool is_unguarded_told;       /* that no guard can be had; the same */
	bool is_stopping;
	bool is_touched;              /* keeper_touch_acceptor */
	bool is_renewed;              /* told to end, for another to take its place */
	uint64_t started_ms;
	uint64_t accepted_before;     /* what others had accepted when it was started */
	unsigned n_restarts;
	uint64_t program;             /* which file it was started from: helpers_identity */
};

/* Without a scoreboard and a process. NULL without memory. */
struct acceptor *acceptor_make(struct supervisor *supervisor, unsigned number);

/* Begins to read its channel. */
void acceptor_listen(struct acceptor *acceptor);

/*
 * Ends the process in order and starts another, which takes over its services: what it holds it hands
 * off before it ends, and clients wait in the kernel meanwhile.
 */
void acceptor_renew(struct acceptor *acceptor);

/* Starts one where there is none. */
void acceptor_replace(struct acceptor *acceptor);

/* Makes the scoreboard, starts nothing. NULL and errno. */
struct acceptor *acceptor_create(struct supervisor *supervisor, unsigned number);

/* All services that the process is to know by now have been told: it may take over what was left. */
void acceptor_tell_estate(struct acceptor *acceptor);

/* Starts the process. 0 or -errno. */
int acceptor_start(struct acceptor *acceptor);

/* Closes the control channel, upon which the process ends. The struct lives until it has. */
void acceptor_stop(struct acceptor *acceptor);

/* Only when the process is gone. */
void acceptor_destroy(struct acceptor *acceptor);

bool acceptor_is_running(const struct acceptor *acceptor);

/* A row of the scoreboard, all zeros. -ENOSPC when all are taken. */
int acceptor_take_slot(struct acceptor *acceptor);
int acceptor_take_this_slot(struct acceptor *acceptor, uint32_t slot);
void acceptor_give_slot(struct acceptor *acceptor, uint32_t slot);
const struct score *acceptor_score(struct acceptor *acceptor, uint32_t slot);

/*
 * Sends one message of the catalogue, or drops it when no process runs: the next one is told
 * everything anew. `fd` is -1 for none, and stays the caller's.
 */
void acceptor_tell(struct acceptor *acceptor, const void *message, int fd);
void acceptor_tell_with(
	struct acceptor *acceptor, const void *message, const int fds[], size_t n_fds);

/*
 * Asks it to confirm that all it was told so far is in force; returns the number of the confirmation.
 * Where no process runs, none is to come: the next one is told nothing but what is in force.
 */
uint32_t acceptor_ask_sync(struct acceptor *acceptor);
bool acceptor_has_synced(const struct acceptor *acceptor, uint32_t number);

#endif
