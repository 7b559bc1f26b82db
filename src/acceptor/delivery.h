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

/* Tries what is in hand, if its time has come or `is_urgent`: a report says that room was made. */
void delivery_retry(struct service *service, bool is_urgent, uint64_t now_ns);

/* Hands off held connections that are within their limits again, refuses those held too long. */
void delivery_release(struct service *service, uint64_t now_ns);

/* Nothing more will be delivered: the rest is handed off (if `may_send`) or refused. */
void delivery_finish(struct service *service, bool may_send, uint64_t now_ns);

#endif
