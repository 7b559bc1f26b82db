/*
 * The lists of deaths as a record of a state.
 */
#ifndef FDSUP_SUPERVISOR_SAVED_DEATHS_H
#define FDSUP_SUPERVISOR_SAVED_DEATHS_H

#include "supervisor/succession/state.h"

struct supervisor;

/* For a program that takes our place. 0 or -ENOMEM. */
int saved_deaths_add(struct supervisor *supervisor, struct state *state);

/*
 * For the keeper: in files without a name, so that their text is not in its memory. The descriptors in
 * `fds` are the caller's. NULL: there are none, or no memory.
 */
extern const char saved_deaths_key[];
json_t *saved_deaths_in_files(struct supervisor *supervisor, struct state_fds *fds);

/* Without them all goes on. */
void saved_deaths_restore(struct supervisor *supervisor, const struct state *state);

#endif
