/*
 * Followed connections while the kernel is asked for them and does not tell of their ends: there are so
 * many that its notices would cost more (policy/attention.h).
 *
 * Each whose worker says nothing is asked for a few milliseconds after its hand-off, and while it lives
 * again after twice the time, at most a second: a connection that is served at once costs one question,
 * and one that lasts an hour no more than one a second. As soon as the kernel tells again, each is asked
 * for once more and then left to its notice.
 *
 * Nor does it tell while there is nothing to tell of: a host that is busy with connections of others, or of
 * services that accept by themselves, does not pay for notices that nobody wants.
 */
#ifndef FDSUP_ACCEPTOR_LOOKOUT_H
#define FDSUP_ACCEPTOR_LOOKOUT_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "acceptor/duering.h"
#include "acceptor/openings.h"
#include "policy/attention.h"

struct following;
struct service;

/* Periods from 4 ms to 1024 ms. Those of workers that report are in none. */
enum { LOOKOUT_LISTS = 9 };

struct lookout {
	struct attention attention;
	struct due_ring lists[LOOKOUT_LISTS];
	ev_timer timer;
	uint32_t place;    /* those that were there before are entered, and this is the next; 0: all are */
	bool is_told;      /* the kernel tells: we are of the groups that its notices go to */
	uint64_t idle_ns;  /* since then there has been nothing that it could tell of; 0: there is */
	struct openings openings;
};

/* `max_notices`: policy/attention.h. */
void lookout_init(struct following *following, uint32_t max_notices);
void lookout_close(struct following *following);

/* One that is followed has been added to the ledger. */
void lookout_add(struct following *following, const struct service *service, uint32_t place,
	uint64_t now_ns);

#endif
