/*
 * What a service needs once somebody has come: its queue, what is under way, and when to look at what.
 * Of hundreds of services most are at rest, and those share one that is empty. Nothing is ever written
 * into it: it lies where that ends the process.
 */
#ifndef FDSUP_ACCEPTOR_TRAFFIC_H
#define FDSUP_ACCEPTOR_TRAFFIC_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "acceptor/casualties.h"
#include "acceptor/copies.h"
#include "acceptor/episode.h"
#include "acceptor/ledger.h"
#include "acceptor/uses.h"
#include "acceptor/vacancies.h"
#include "wire/control.h"

struct held;
struct service;

#define NEVER_NS UINT64_MAX

/* An accepted connection that is still ours. */
struct in_hand {
	int fd;         /* owned; -1: none */
	uint32_t place; /* in the ledger */
};

struct traffic {
	struct ledger_account account;
	ev_io queue_io; /* reports; its descriptor is the acceptor's end of the queue */
	ev_timer timer; /* for the earliest of the times below */
	uint64_t timer_ns;

	/* Delivery. */
	struct in_hand in_hand; /* admitted, and the queue had no room */
	struct held *last_held;
	uint64_t release_ns; /* when a held one is to be looked at again */
	uint64_t retry_ns;   /* when to try the queue again */
	uint32_t retry_ms;
	uint64_t open_ns;      /* when the gate opens by itself */
	uint64_t warn_full_ns; /* not before is it said again that it is near full */

	struct copies *copies; /* owned; those of a service without slots are one for all */
	uint64_t copies_ns;    /* when to look whether any is kept for too long */

	/* Reports and losses. */
	uint32_t adoptable;   /* how many unknown connections workers may still tell us of */
	uint32_t silent_left; /* how many had left the queue when that was last looked at */
	uint64_t ask_ns;      /* when to ask for a queue again; NEVER_NS: it was not asked for */
	uint64_t suspects_ns; /* when connections that nobody reported are lost */
	struct casualties casualties;
	pid_t worker_ending; /* was told to end, and what it has said since is being read; 0: none */
	struct { /* commands that outlived their worker and have ended, of the last such worker */
		pid_t worker;
		uint32_t n;
	} orphans;
	struct control_toll *toll; /* a worker has died, and its connections are being judged; else NULL */
	uint64_t deaf_ns;   /* when to say that the queue's other end is gone */
	uint64_t silent_ns; /* when to give up waiting for a first report */
	uint64_t peek_ns;   /* when to look whether any has left the queue: clients wait for that */
	uint64_t look_ns;   /* when to publish anew how many are in the queue, of which nobody tells us */
	uint32_t peek_ms;
	uint32_t n_missing; /* connections that an acceptor before us held, and nobody has handed to us yet */
	struct uses uses;
	struct vacancies vacancies;

	/* Saying it once. */
	struct episodes episodes;
	uint64_t refused_ns; /* since when REFUSED lines are counted */
	uint32_t n_refused_lines;
	uint32_t n_refused_silent;
};

/* The service has the one that is empty. */
void traffic_init(struct service *service);

/* Gives it one of its own, unless it has. False: out of memory. */
bool traffic_take(struct service *service);

/* Whoever was under way is gone already; closes the queue. */
void traffic_end(struct service *service);

/* The same if nothing in it says anything that will be wanted: its queue is not, and was closed. */
void traffic_end_if_over(struct service *service, uint64_t now_ns);

#endif
