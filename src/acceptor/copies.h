/*
 * Copies of connections that were handed off and that nobody has begun to serve: what makes up for a
 * worker that dies with some.
 *
 * Each hand-off has a slot (wire/slots.h), which says who has it. Beside the slot the acceptor keeps
 * the descriptor until a report says that the connection is being served: while a copy is open, the
 * client does not see that a worker has closed its own. So a copy is kept only where the workers do
 * claim and report: our own programs always, a program of others once it has been seen to (and not
 * longer than COPIES_LOOK_NS after it has claimed one: programs have errors).
 */
#ifndef FDSUP_ACCEPTOR_COPIES_H
#define FDSUP_ACCEPTOR_COPIES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/handoff.h"
#include "wire/slots.h"

struct service;

#define COPIES_LOOK_NS UINT64_C(5000000000)

/* One slot. */
struct copy {
	int fd;           /* owned; -1: there is none */
	uint32_t place;   /* in the ledger; LEDGER_NOWHERE: unused, or an acceptor's before us */
	uint32_t next;    /* of those unused */
	uint16_t turn;
	uint8_t n_deaths; /* workers that died with it */
	bool is_due;      /* to be handed off once more */
	bool was_claimed; /* when last looked at */
	bool is_inherited;
	bool was_stuck;   /* when last looked at: redelivery_look */
	bool is_orphaned; /* the worker that has claimed this inherited one is dead */
};

struct copies {
	struct slots slots;
	struct copy *items; /* by the number of the slot; [0] is not used */
	uint32_t room;
	uint32_t n_known; /* numbers below were used before, by us or an acceptor before us */
	uint32_t unused;  /* chain of those that are free again; 0: none */
	uint32_t n_used;
	uint32_t n_kept; /* with a descriptor */
	uint32_t n_due;
	uint32_t n_inherited;
	uint64_t swept_ns;
	bool are_claimed; /* its workers claim connections and say when they begin */
};

/* Those of a service without slots. Nothing is ever written into it. */
extern const struct copies copies_none;

/* The slots that came with a queue, if any: takes the descriptor. */
void copies_open(struct service *service, int slots_fd);
void copies_close(struct service *service);

/* ---- handing off ------------------------------------------------------------------------------- */

/* A slot for a connection that is about to be handed off, or none, into its record. */
void copies_offer(struct service *service, uint32_t place, struct handoff *record);

/* It was not handed off. False: it is one that is to be handed off once more, and keeps its slot. */
bool copies_withdraw(struct service *service, uint32_t place);

/* Whether a copy of it will be kept. */
bool copies_will_keep(const struct service *service, uint32_t place);

/* It was: takes the connection, to be kept or closed. */
void copies_keep(struct service *service, uint32_t place, int *connection);

/* The descriptor of one that is to be handed off once more, with its place; -1: there is none. */
int copies_next_due(const struct service *service, uint32_t *ret_place);

/* That one was. */
void copies_sent(struct service *service, uint32_t place);

/* ---- what becomes of them ---------------------------------------------------------------------- */

/* A first report: somebody serves it. `is_taken`: it said just that, and more is to come. */
void copies_reported(struct service *service, uint32_t place, bool is_taken);

/* The same, and it may be one that an acceptor before us handed off. */
void copies_settled(struct service *service, uint64_t connection);

/* The ledger forgets it. */
void copies_drop(struct service *service, uint32_t place);

/* Where a process serves that nobody has told us of, its worker being dead; or LEDGER_NOWHERE. */
uint32_t copies_find_process(const struct service *service, pid_t pid);

/* The copy at a place of the ledger; NULL: it has no slot. The number of its slot. */
struct copy *copies_find(const struct service *service, uint32_t place);
uint32_t copies_number(const struct copies *copies, const struct copy *copy);

/*
 * What the slot of an acceptor before us says of this connection, and the number is still as it was.
 * False: it is another's by now.
 */
bool copies_look_inherited(const struct service *service, uint32_t number, uint64_t connection,
	struct slot_view *ret_view);

/* Takes the copy that belongs to that slot, of a connection that is in the ledger. */
void copies_take_over(struct service *service, uint32_t number, uint32_t place, int *connection,
	const struct slot_view *view);

/* A slot of an acceptor before us is free: nobody can come with it any more. */
void copies_disinherit(struct copies *copies, uint32_t number);

/* To be called at traffic->copies_ns, which copies_expect_look sets. */
void copies_expect_look(struct service *service, uint64_t now_ns);
void copies_look(struct service *service, uint64_t now_ns);

/* It is handed on, or to be, by the rules above: no suspicion (losses.h) falls on it. */
bool copies_covers(const struct service *service, uint32_t place);

#endif
