/*
 * The live connections, asked of all acceptors: nothing waits for them, and who asks while they are
 * being asked is served by the next round, so that what he knows of is in it.
 */
#ifndef FDSUP_SUPERVISOR_CONNECTIONS_H
#define FDSUP_SUPERVISOR_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/connections.h"

struct acceptor;
struct supervisor;

struct connections_part {
	const struct acceptor *acceptor; /* only to compare with: it may be gone */
	const struct connection_row *rows;
	size_t n;
};

/* What a round brought; shared by those who asked. */
struct connections {
	unsigned n_users;
	bool is_complete; /* every acceptor has answered */
	size_t n_parts;
	struct connections_part parts[];
};

void connections_release(struct connections *connections);

/* `connections` is the caller's to release. NULL: out of memory, or fdsup ends. */
typedef void connections_ready(void *context, struct connections *connections);

/* Calls `ready` once, later. */
void connections_ask(struct supervisor *supervisor, connections_ready *ready, void *context);

/* It is not to be called after all. */
void connections_forget(struct supervisor *supervisor, void *context);

/* CONTROL_LISTED has come. The descriptor stays the caller's. */
void connections_on_listed(struct acceptor *acceptor, uint32_t number, int fd);
void connections_on_acceptor_gone(struct acceptor *acceptor);

/* Everybody is told that there is nothing. */
void connections_end(struct supervisor *supervisor);

#endif
