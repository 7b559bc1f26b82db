/*
 * Records as they are kept: those in force, and beside them those that a supervisor has begun to put
 * in their place. Descriptors are owned.
 */
#ifndef FDSUP_KEEPER_DEPOSIT_H
#define FDSUP_KEEPER_DEPOSIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/keeping.h"

/* One piece of memory: there are as many as there are services. */
struct record {
	struct record *next; /* list: of those in the same place of a table */
	uint32_t n_fds;
	uint32_t length;     /* of the text */
	int fds[];           /* owned; behind them the key with its end, and the text without one */
};

const char *record_key(const struct record *record);
const char *record_text(const struct record *record);

enum { DEPOSIT_PLACES = 256 };

struct deposit {
	struct record *kept[DEPOSIT_PLACES];  /* owned: those in force, by their keys */
	struct record *fresh[DEPOSIT_PLACES]; /* owned: between begin and commit */
	struct record *part; /* owned: of which more is to come; NULL: none */
	bool is_changing;    /* between begin and commit */
};

/*
 * Takes the descriptors. The parts of a record come one after the other. 0 or -ENOMEM; then they are
 * closed.
 */
int deposit_put(struct deposit *deposit, const struct keeping_message *message, const char *text,
	const int fds[]);

void deposit_drop(struct deposit *deposit, const char *key);
void deposit_begin(struct deposit *deposit);
void deposit_commit(struct deposit *deposit);

/* Who put them is gone: only what is in force stays. */
void deposit_cancel(struct deposit *deposit);

void deposit_clear(struct deposit *deposit);

/* Whether nothing is in force. */
bool deposit_is_empty(const struct deposit *deposit);

/*
 * Calls back for each record in force, in no order, until that is not 0; returns what it returned.
 * Others may be put and dropped meanwhile.
 */
int deposit_each(const struct deposit *deposit,
	int (*visit)(void *context, const struct record *record), void *context);

#endif
