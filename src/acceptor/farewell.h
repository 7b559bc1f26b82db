/*
 * The END line of a connection, with what the kernel has counted: its notice may come a moment after
 * the end of the command, and there is but one line.
 *
 * A line waits for at most a second: for the client's acknowledgement of the last byte. Then the
 * kernel is asked what it has counted so far. Lines that would wait beyond a bound are written as
 * they are, the oldest first.
 */
#ifndef FDSUP_ACCEPTOR_FAREWELL_H
#define FDSUP_ACCEPTOR_FAREWELL_H

#include <stdint.h>

#include "acceptor/diag.h"
#include "acceptor/service_log.h"

struct farewells;

struct farewells *farewells_create(void);
/* Writes all lines. */
void farewells_destroy(struct farewells *farewells);

/* Writes the line now or soon. `farewells` may be NULL: now. */
void farewell_say(struct farewells *farewells, struct service *service,
	const struct ledger_entry *entry, const struct ending *ending, uint64_t now_ns);

/* The kernel's word on a connection that is in the ledger no more. */
void farewell_complete(struct farewells *farewells, const struct diag_facts *facts);

/* Writes the lines of a service, for nobody can later. */
void farewell_flush(struct farewells *farewells, const struct service *service);

/* Writes those whose time is over, asking on `query`. */
void farewell_expire(struct farewells *farewells, int query, uint64_t now_ns);

/* When to call that; NEVER_NS. */
uint64_t farewell_due_ns(const struct farewells *farewells);

#endif
