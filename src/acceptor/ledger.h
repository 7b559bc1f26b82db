/*
 * The ledger: every live connection of this acceptor, in one table. A pure data structure.
 *
 * An entry is found by its id, or by the process that serves it. Each service has an
 * account of its entries: a list in the order of acceptance and one of those that wait in its
 * queue, in the order of their hand-off, so that "the oldest" is always the first of a list. Places
 * are numbers and stay valid; pointers only until the next entry is added.
 */
#ifndef FDSUP_ACCEPTOR_LEDGER_H
#define FDSUP_ACCEPTOR_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/endpoint.h"

/* LEDGER_MAX bounds the memory that strangers can make us use: about 35 MB. */
enum { LEDGER_NOWHERE = 0, LEDGER_MAX = 1 << 18 };

enum ledger_state {
	LEDGER_HELD,    /* accepted, not handed off */
	LEDGER_WAITING, /* handed off, nobody has reported it taken */
	LEDGER_TAKEN,   /* a worker has it */
	LEDGER_STARTED, /* a process serves it */
};

struct ledger_entry {
	uint64_t id;
	uint64_t accepted_ns;
	struct endpoint peer;
	struct endpoint local;
	uint32_t service;         /* row on the scoreboard */
	uint32_t source;          /* place in the service's table of sources */
	int32_t pid;              /* serves it; 0 unknown */
	int32_t worker;           /* has reported it; 0 nobody */
	uint32_t handed_after_ms; /* from acceptance to hand-off */
	uint32_t gone_after_ms;   /* from acceptance to the end that the kernel has told */
	uint32_t next_by_id;      /* chains of the same hash; next_by_id also chains free places */
	uint32_t next_by_pid;
	uint32_t older, newer;  /* of the account, in the order of acceptance */
	uint32_t ahead, behind; /* of the account, in the order of hand-off, while LEDGER_WAITING */
	uint8_t state;          /* enum ledger_state */
	uint8_t suspicion;      /* losses.h */
	uint8_t seen;           /* following.c: the last inventory that had it */
	bool is_used : 1;       /* false: a free place */
	bool is_foreign : 1;    /* not of TCP, or of another network: the kernel tells us nothing of it */
	bool is_followed : 1;   /* the kernel will say when it has ended */
	bool is_gone : 1;       /* it has said so; what it counted is below */
	bool has_bytes : 1;
	bool is_excused : 1;    /* we are ending its command */
	bool has_left_queue : 1; /* while LEDGER_WAITING: somebody has it, and need not say so */
	bool is_counted : 1;    /* as served or lost: somebody told of it after it had been given up */
	uint8_t severance;      /* enum severance: it is being ended, and why */
	uint16_t copy;          /* number of its slot, copies.h; 0: none */
	uint64_t bytes_in, bytes_out;
	uint64_t look_ns;       /* not before is its time over: lapse.h */
};

struct ledger {
	struct ledger_entry *entries; /* [LEDGER_NOWHERE] is not used */
	uint32_t *by_id;
	uint32_t *by_pid;
	uint32_t capacity; /* of all three: a power of two, or 0 */
	uint32_t n;
	uint32_t free;
	uint64_t seed; /* workers could choose ids: they must not choose chains */
};

struct ledger_account {
	uint32_t oldest, newest;
	uint32_t first_waiting, last_waiting;
	uint32_t n, n_held, n_waiting;
};

void ledger_init(struct ledger *ledger, uint64_t seed);
void ledger_fini(struct ledger *ledger);

/* Makes sure that one entry can be added. 0, -ENOMEM, or -ENOSPC at LEDGER_MAX. */
int ledger_reserve(struct ledger *ledger);

/*
 * Adds a connection as LEDGER_HELD; service, id, times, ends, source, is_followed and is_counted are
 * taken from `like`.
 * LEDGER_NOWHERE if there is no room (see ledger_reserve).
 */
uint32_t ledger_add(
	struct ledger *ledger, struct ledger_account *account, const struct ledger_entry *like);

static inline struct ledger_entry *ledger_at(struct ledger *ledger, uint32_t place)
{
	return &ledger->entries[place];
}

/* LEDGER_NOWHERE if there is none. */
uint32_t ledger_find(const struct ledger *ledger, uint32_t service, uint64_t id);
/* The same connection may be several services': the first with this id, and the next after one. */
uint32_t ledger_find_id(const struct ledger *ledger, uint64_t id);
uint32_t ledger_find_same(const struct ledger *ledger, uint32_t place);
uint32_t ledger_find_pid(const struct ledger *ledger, int32_t pid);

/* To LEDGER_WAITING it goes to the end of the waiting list, from there it leaves it. */
void ledger_set_state(struct ledger *ledger, struct ledger_account *account, uint32_t place,
	enum ledger_state state);

/* One that was handed off before all that wait: to the front of the waiting list. */
void ledger_wait_first(struct ledger *ledger, struct ledger_account *account, uint32_t place);

void ledger_set_pid(struct ledger *ledger, uint32_t place, int32_t pid);

void ledger_remove(struct ledger *ledger, struct ledger_account *account, uint32_t place);

#endif
