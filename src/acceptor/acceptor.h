/*
 * The acceptor under a supervisor: one loop, one control channel, one ledger, many services.
 *
 * It owns nothing that must survive it but the connections that it has just accepted, or keeps copies
 * of, and these its guard has as well. The supervisor keeps both ends of every queue and a copy of
 * every listener; the totals are on the scoreboard; commands that run report to whoever reads the
 * queue next. It ends when the control channel does.
 */
#ifndef FDSUP_ACCEPTOR_ACCEPTOR_H
#define FDSUP_ACCEPTOR_ACCEPTOR_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "acceptor/guard.h"
#include "acceptor/heir.h"
#include "acceptor/lapse.h"
#include "acceptor/ledger.h"
#include "acceptor/load.h"
#include "acceptor/outliving.h"
#include "acceptor/survey.h"
#include "acceptor/traces.h"
#include "policy/pace.h"
#include "wire/channel.h"
#include "wire/control.h"
#include "wire/scoreboard.h"

struct options;

struct following;
struct listing;
struct service;
struct settings;

struct acceptor {
	struct guard guard;
	ev_io guard_io;       /* its end */
	ev_timer guard_timer; /* when to ask for another */
	struct heir heir;
	int estate_fd;        /* owned: where what we have is left; -1: nowhere */
	bool has_left;        /* all of it */
	struct ev_loop *loop;
	struct channel control;
	ev_io control_io; /* for writing only while the channel has a backlog */
	ev_io log_io;     /* active while the log is stuck */
	ev_prepare turn;  /* what happens once a turn of the loop */
	struct pace pace;
	struct scoreboard *board;
	struct score at_rest; /* zeros: the row of services that have never had a queue */
	struct ledger ledger;
	struct survey survey;
	struct listing *listing; /* under way; NULL: none is */
	struct following *following; /* NULL: only workers say what becomes of connections */
	struct lapse_watch lapses;
	struct outliving outliving;
	struct service **services; /* by their row on the scoreboard; NULL: none */
	uint32_t n_rows;
	struct settings *settings; /* list: of the services */
	struct zone zone;    /* the local time */
	struct load load;
	uint64_t seed;       /* of all hash tables */
	uint64_t last_id;    /* connection ids where the kernel has no SO_COOKIE */
	unsigned queue_unit; /* what a waiting connection counts in SIOCOUTQ */
	uint32_t n_copies;   /* descriptors of copies.h in all services, and how many there may be */
	uint32_t n_copies_max;
	int exit_status;     /* -1 while it runs */

	/* Out of descriptors or memory: nobody accepts until the timer ends it. */
	ev_timer shortage_timer;
	uint64_t shortage_ns; /* since when this episode lasts; 0: none */
	bool is_short;
	int reserve_fds[CONTROL_FDS_MAX]; /* given up while messages are received */
};

/* Serves until the supervisor is gone; returns the exit status. Takes all descriptors. */
int acceptor_run(const struct options *options);

/* accept(2) failed for lack of something: all listeners rest for a second. */
void acceptor_rest(struct acceptor *acceptor, int error);

/* Descriptors that are kept free for those in a message, which would be lost without. */
bool acceptor_has_reserve(const struct acceptor *acceptor);
void acceptor_open_reserve(struct acceptor *acceptor);
void acceptor_close_reserve(struct acceptor *acceptor);

/* Where what we have is left: takes the descriptor. */
void acceptor_set_estate(struct acceptor *acceptor, int out_fd);

/* SO_COOKIE, or a number of ours where the kernel has none. */
uint64_t acceptor_connection_id(struct acceptor *acceptor, int connection);

/* Sends a message of the catalogue, now or when the supervisor reads. */
void acceptor_tell_supervisor(struct acceptor *acceptor, const void *message, size_t size);

/* The same with a descriptor, which stays the caller's; -1: none. */
void acceptor_tell_supervisor_with(
	struct acceptor *acceptor, const void *message, size_t size, int fd);

/* Ends the loop. */
void acceptor_stop(struct acceptor *acceptor, int exit_status);

#endif
