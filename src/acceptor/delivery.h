/*
 * From accept(2) to the queue: a connection is handed off, held for a limit, or refused. Nothing
 * here waits, and what cannot be delivered now has a time at which it is tried again.
 */
#ifndef FDSUP_ACCEPTOR_DELIVERY_H
#define FDSUP_ACCEPTOR_DELIVERY_H

#include "acceptor/service.h"

/* Takes a new connection; `like` says what is known of it, its source excepted. */
void delivery_accept(
	struct service *service, int connection, struct ledger_entry *like, uint64_t now_ns);

/*
 * Takes one that an acceptor before us had accepted and counted, and not handed off; `is_admitted`: it
 * is greeted, and waits only for room in the queue.
 */
void delivery_resume(struct service *service, int connection, struct ledger_entry *like,
	bool is_admitted, uint64_t now_ns);

/* Tries what is in hand, if its time has come or `is_urgent`: a report says that room was made. */
void delivery_retry(struct service *service, bool is_urgent, uint64_t now_ns);

/* Takes a connection of the ledger that is admitted now; `is_greeted`: it has seen the banner. */
void delivery_admit(struct service *service, int *connection, uint32_t place, bool is_greeted,
	uint64_t now_ns);

/* Closes it so that its client sees it, counts and logs it. `reason` is the key that says so. */
void delivery_refuse(struct service *service, int *connection, const struct ledger_entry *entry,
	const char *reason, uint64_t now_ns);

/* Under which episode a connection above this limit is told. */
enum episode_kind delivery_episode(enum admission_limit limit);

/* Nothing more will be delivered: the rest is handed off (if `may_send`) or refused. */
void delivery_finish(struct service *service, bool may_send, uint64_t now_ns);

#endif
