/*
 * The clients of the admin channel that stay connected while another program takes our place.
 */
#ifndef FDSUP_SUPERVISOR_SAVED_CLIENTS_H
#define FDSUP_SUPERVISOR_SAVED_CLIENTS_H

#include <stdbool.h>

#include "supervisor/succession/state.h"

struct admin_call;
struct supervisor;

/* The record "clients"; `upgrade` is the call that has asked for the other program. 0 or -ENOMEM. */
int saved_clients_add(
	const struct supervisor *supervisor, const struct admin_call *upgrade, struct state *state);

/* Whether there are calls that another program could not go on with; most are answered in a moment. */
bool saved_clients_have_others(
	const struct supervisor *supervisor, const struct admin_call *upgrade);

/* Goes on with them, and tells who asked for us that we are here. */
void saved_clients_restore(struct supervisor *supervisor, const struct state *state);

#endif
