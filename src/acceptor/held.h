/*
 * Connections that are accepted and wait for a limit of their source, before they are handed off.
 */
#ifndef FDSUP_ACCEPTOR_HELD_H
#define FDSUP_ACCEPTOR_HELD_H

#include "acceptor/service.h"

/* Takes a connection that admission has counted as held; without memory it is refused. */
void held_add(struct service *service, int connection, uint32_t place, enum admission_limit limit,
	uint64_t now_ns);

/* The same for one that an acceptor before us had; `is_admitted`: it waits for nothing but its turn. */
void held_resume(
	struct service *service, int connection, uint32_t place, bool is_admitted, uint64_t now_ns);

/* Refuses the one of this source that has waited longest. */
void held_drop_oldest(struct service *service, uint32_t source, uint64_t now_ns);

/* Hands off those that may go, and refuses those that have waited for too long. */
void held_release(struct service *service, uint64_t now_ns);

/* Takes the oldest, which stays in the ledger; -1: there is none. */
int held_take(struct service *service, uint32_t *ret_place);

#endif
