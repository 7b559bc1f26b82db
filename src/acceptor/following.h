/*
 * Connections followed to their end by the kernel's word, whoever serves them and whatever he says.
 *
 * The kernel's notice comes once nobody has the connection any more and its last byte has been
 * acknowledged: within the round trip to the client after the last close, later if he does not read,
 * not at all while a process keeps it. So for a worker that reports nothing the notice is the end.
 * One that reports has the first word: for a command its end is the end of the connection, and the
 * notice adds what the kernel has counted (farewell.h); a worker that has said that it took a
 * connection, and says no more, has a second to do so, and one that has never said anything a tenth.
 *
 * Notices may be lost, in a rush or with an acceptor. Then an inventory of what lives makes the
 * ledger true again (inventory.h).
 */
#ifndef FDSUP_ACCEPTOR_FOLLOWING_H
#define FDSUP_ACCEPTOR_FOLLOWING_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "acceptor/diag.h"
#include "acceptor/ledger.h"
#include "acceptor/lookout.h"
#include "acceptor/portfilter.h"
#include "acceptor/survey.h"

struct acceptor;
struct ending;
struct farewells;
struct service;

struct following {
	struct acceptor *acceptor;
	ev_io notices;  /* owns its descriptor; stopped while they gather */
	ev_timer gathering;
	uint64_t now_ns; /* when those were read that are being read */
	struct service *first_unsettled; /* a list of those whose connections have just ended */
	bool is_awaited; /* one of those that were read has made a place free that somebody waits for */
	bool is_near_limit; /* or somebody soon might wait for it */
	int query_fd;   /* for exact look-ups; -1: the kernel does not answer */
	ev_timer timer; /* the first of those that are gone is due */
	/* Whose end the kernel has told, waiting for what its worker says; of one that never spoke, too. */
	struct due_ring gone, gone_unheard;
	struct farewells *farewells;

	struct portset ports; /* that the filter lets through */
	uint32_t n_ports;
	bool must_recount; /* some of them may be nobody's any more */

	/* The inventory. */
	struct survey_visitor visitor;
	ev_timer inventory; /* when to begin one, and then its next step */
	uint64_t begun_ns;  /* what was accepted later is not its business; 0: none is under way */
	uint32_t step;      /* the place to go on at; 0: it has not come to that */
	uint8_t generation;
	bool is_wanted; /* one more, from the beginning */
	bool has_complained;

	struct lookout lookout;
};

/* A service or a source is near a limit where so many more would reach it. */
enum { FOLLOWING_NEAR_LIMIT = 32 };

/*
 * Takes the socket for notices, subscribed, from the supervisor; `max_notices`: policy/attention.h. NULL: out of memory, or the kernel
 * says nothing, which is logged.
 */
struct following *following_open(struct acceptor *acceptor, int notices_fd, uint32_t max_notices);
void following_close(struct following *following);

/* Adds an entry to the ledger and decides whether it will be followed. LEDGER_NOWHERE as ledger_add. */
uint32_t following_add(struct service *service, struct ledger_entry *like, uint64_t now_ns);

/* The service is no more: what is to be said of its connections is said. */
void following_forget(struct service *service);

/* The END line, with the kernel's count as soon as that is there. */
void following_say_end(struct service *service, const struct ledger_entry *entry,
	const struct ending *ending, uint64_t now_ns);

/*
 * Before a client is judged, and before a worker is heard: reads what the kernel has told until now,
 * which may be gathering for a few milliseconds.
 */
void following_catch_up(struct acceptor *acceptor);

/* The same, whatever there is. */
void following_drain(struct acceptor *acceptor);

/*
 * Ends one that the kernel has ended, without waiting for what a worker may say of it; the caller
 * settles the service. False: it lives.
 */
bool following_end(struct service *service, uint32_t place, uint64_t now_ns);

/* Notices may have been missed. */
void following_check(struct acceptor *acceptor);

/*
 * It has ended, as the kernel tells; `facts` is NULL where only that is known. Whoever notes several
 * settles their services afterwards.
 */
void following_note_gone(struct following *following, uint32_t place,
	const struct diag_facts *facts, uint64_t now_ns);
void following_settle(struct following *following, uint64_t now_ns);

/* Both, for one. */
void following_entry_gone(struct following *following, uint32_t place,
	const struct diag_facts *facts, uint64_t now_ns);

/* Sets the timer for what is due first, unless it is set. */
void following_set_timer(struct following *following, uint64_t now_ns);

#endif
