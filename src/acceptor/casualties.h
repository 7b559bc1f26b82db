/*
 * Commands that did not end well, told to the supervisor for `fdsupctl deaths`: of many in a short time
 * a few, and the number of the others. Nothing is said of those that end with status 0.
 */
#ifndef FDSUP_ACCEPTOR_CASUALTIES_H
#define FDSUP_ACCEPTOR_CASUALTIES_H

#include <stdint.h>

#include "acceptor/ledger.h"
#include "policy/bucket.h"

struct ending;
struct service;

/* Of one service. All zeros, with due_ns NEVER_NS: none. */
struct casualties {
	struct bucket bucket;
	uint32_t n_untold;
	uint64_t due_ns; /* when to tell how many those were; NEVER_NS */
};

void casualties_add(struct service *service, const struct ledger_entry *entry,
	const struct ending *ending, uint64_t now_ns);

/* To be called at due_ns. */
void casualties_tell_rest(struct service *service);

#endif
