/*
 * The lists of deaths as a record of a state.
 */
#ifndef FDSUP_SUPERVISOR_SAVED_DEATHS_H
#define FDSUP_SUPERVISOR_SAVED_DEATHS_H

#include "supervisor/succession/state.h"

struct supervisor;

/* 0 or -ENOMEM. */
int saved_deaths_add(struct supervisor *supervisor, struct state *state);

/* Without them all goes on. */
void saved_deaths_restore(struct supervisor *supervisor, const struct state *state);

#endif
