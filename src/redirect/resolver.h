/*
 * The addresses of the target, looked up beside the loop and never in it.
 *
 * getaddrinfo(3) waits for name servers, so it runs in a thread of its own, one at a time. What it
 * found serves for a minute, or until no address of it could be connected to. A failed look-up
 * leaves what was known before. A target that needs no look-up never starts a thread.
 */
#ifndef FDSUP_REDIRECT_RESOLVER_H
#define FDSUP_REDIRECT_RESOLVER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "redirect/address.h"

struct look_up;

/* Somebody who waits for the answer, once. */
struct resolver_waiter {
	struct resolver_waiter *next;
	struct resolver_waiter *previous;
	void (*on_answer)(struct resolver_waiter *waiter);
	bool is_waiting;
};

enum { RESOLVER_ERROR_SIZE = 160 };

struct resolver {
	struct ev_loop *loop;
	const struct target *target;
	struct addresses addresses; /* n 0: none known */
	bool is_fixed;              /* an address was given: it does not change */
	bool is_doubted;
	uint64_t answered_ms;            /* the last look-up ended */
	char error[RESOLVER_ERROR_SIZE]; /* of the last one, "" if it succeeded */
	struct look_up *look_up;         /* running; NULL: none */
	ev_async answered;
	struct resolver_waiter *waiters;
};

/* Begins to look up a name. The target stays the caller's. */
void resolver_init(struct resolver *resolver, struct ev_loop *loop, const struct target *target);

/* Abandons a look-up that runs, without waiting for it. */
void resolver_fini(struct resolver *resolver);

/* Whether the addresses may be used without asking again. */
bool resolver_is_fresh(const struct resolver *resolver);

/* Calls back when the next look-up has ended, well or not; begins one if none runs. */
void resolver_wait(struct resolver *resolver, struct resolver_waiter *waiter);
void resolver_forget(struct resolver *resolver, struct resolver_waiter *waiter);

/* No address could be connected to: the name may have moved. */
void resolver_doubt(struct resolver *resolver);

#endif
