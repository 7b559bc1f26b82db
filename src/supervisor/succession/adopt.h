/*
 * Taking the place of another fdsup: what it left is taken up as it is, and goes on.
 *
 * After an upgrade it is our own process, executed anew: descriptors and children are still ours. The
 * state comes as a memory file, named by FDSUP_STATE in the environment.
 */
#ifndef FDSUP_SUPERVISOR_ADOPT_H
#define FDSUP_SUPERVISOR_ADOPT_H

#include <stdbool.h>

struct state;
struct supervisor;

extern const char adopt_variable[]; /* "STATE_FD PACK_FD" */

/* Whether the program before us has left a state. Takes the variable out of the environment. */
bool adopt_is_asked(void);

/* Reads it. 0, or -errno after it was logged. */
int adopt_read(struct supervisor *supervisor, struct state *state);

/* Makes the structs. 0, or -errno after it was logged. */
int adopt_restore(struct supervisor *supervisor, struct state *state);

/* Then everything is taken up: processes are watched, timers run, clients are answered. */
int adopt_resume(struct supervisor *supervisor, struct state *state);

/*
 * After a supervisor has died: its processes are not our children, and what it was doing at that
 * moment may be half done. Between restoring and resuming.
 */
void adopt_orphans(struct supervisor *supervisor);

/* Then, when all is taken up: what programs have told of themselves meanwhile. */
void adopt_hear_notes(struct supervisor *supervisor, const struct state *state);

/*
 * Ends every process of the instance of fdsup that left `state`, or has that name: first asked, killed
 * after a while. Waits for it. How many there were.
 */
unsigned adopt_end_left(const char *instance);

/*
 * fdsup --adopt-check: tries whether this program could take the place of the one that has left a
 * state on descriptor 3, and prepares its configuration on descriptor 4; the texts follow. The exit
 * status; what is said is for whoever asked for the upgrade.
 */
int adopt_check(void);

enum { ADOPT_STATE_FD = 3, ADOPT_PACK_FD, ADOPT_TEXTS_FD, ADOPT_TEXTS_MAX = 12 };

#endif
