/*
 * A worker that serves connections itself, many in one event loop: takes them from the queue,
 * reports them to the acceptor, and ends the way fdsup's workers end.
 *
 * What is done with a connection is the owner's business. TERM ends the connections and then the
 * process, HUP waits until they have ended by themselves, USR1 reports them all once more for an
 * acceptor that is new. No connection is taken where no descriptors are free for it.
 */
#ifndef FDSUP_TAKER_TAKER_H
#define FDSUP_TAKER_TAKER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "taker/outbox.h"
#include "taker/parting.h"
#include "wire/handoff.h"
#include "wire/slots.h"

struct taker;

struct taker_methods {
	/*
	 * Serves a connection, which becomes the owner's; non-blocking unless it is passed on. So does
	 * `memory` for it, as much as the settings say, all zeros, from malloc(3): what is taken can be
	 * served.
	 */
	void (*take)(struct taker *taker, const struct handoff *record, int connection, void *memory);
	/* Ends all connections now, taker_ended for each. */
	void (*stop)(struct taker *taker);
};

/* What is remembered of a connection while it is served: a part of the owner's own struct. */
struct taken {
	struct taken *next; /* list: of struct taker */
	struct taken *previous;
	struct handoff record;
	struct slot_claim claim;
	uint64_t taken_ns;
};

struct ending {
	int status; /* as waitpid(2) gives it */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

struct taker_settings {
	int queue_fd; /* the workers' end of a queue, or -1 */
	int slots_fd; /* of the queue; 0: it has none */
	unsigned
		n_room; /* descriptors that must be free for one more connection, itself included */
	size_t n_memory;       /* bytes for each connection */
	uint64_t idle_exit_ms; /* 0: never */
	bool is_passed_on; /* connections go to another program: how they block is its business */
};

enum taker_mode { TAKER_SERVING, TAKER_DRAINING, TAKER_STOPPING };

enum { TAKER_SIGNALS = 4 };

struct taker {
	const struct taker_methods *methods;
	struct taker_settings settings;
	struct ev_loop *loop; /* owned */
	ev_io connections;    /* the queue has some */
	ev_io reports;        /* the queue has room for them */
	ev_signal signals[TAKER_SIGNALS];
	ev_timer resume; /* running while something is lacking */
	ev_timer idle;
	ev_prepare before_wait;
	struct outbox outbox;
	struct parting parting; /* where the owner closes a connection */
	struct slots slots;
	struct slot_claim claim; /* on the connection that is just being taken */
	pid_t pid;
	void *memory;  /* for the next connection, so that none is taken for which there is none */
	void *reserve; /* what the loop may need for it in its tables; given up when it comes */
	struct taken *first; /* newest first */
	size_t n_taken;
	uint64_t busy_ms; /* when there was last something to do */
	enum taker_mode mode;
	bool is_held_back; /* by its owner: see taker_hold_back */
	bool is_over;  /* nobody is left who could send a connection */
	bool is_short; /* of descriptors or the like, and that has been said */
	bool is_bad;   /* the last message was no connection, and that has been said */
};

/* 0; -ENOMEM; -ENOTSOCK, -EBADF; -EPROTOTYPE: a socket, but no queue. */
int taker_open(struct taker *taker, const struct taker_methods *methods,
	const struct taker_settings *settings);

/* Serves until the end. */
void taker_run(struct taker *taker);

void taker_close(struct taker *taker);

/* While held back no connection is taken: they wait in the queue. */
void taker_hold_back(struct taker *taker, bool is_held_back);

/*
 * Lists a connection, to be called by `take`; reports it as taken, at once, unless it is passed on: our
 * death must not make it unknown. One that is passed on is the acceptor's to give to another worker as
 * long as nobody has begun to serve it.
 */
void taker_took(struct taker *taker, struct taken *taken, const struct handoff *record);

/* It is about to be passed on; and it was not received after all. */
void taker_pass_on(struct taken *taken);
void taker_regain(const struct taker *taker, struct taken *taken);

/* The connection is closed, or parting has it; reports that, and forgets it. */
void taker_ended(struct taker *taker, struct taken *taken, const struct ending *ending);

/* There was something to do besides connections: idleness counts anew from now. */
static inline void taker_touch(struct taker *taker)
{
	taker->busy_ms = clock_now_ms();
}

#endif
