/*
 * The start, in an order in which nothing is begun before all that can fail has succeeded: the lock,
 * every listener, the admin socket; then the processes.
 */
#ifndef FDSUP_SUPERVISOR_START_H
#define FDSUP_SUPERVISOR_START_H

struct supervisor;

/* Everything up to the running loop. 0 or -errno; every reason was logged. */
int start(struct supervisor *supervisor);

/* Frees what start made, as far as it came. No process of ours may be left. */
void start_undo(struct supervisor *supervisor);

#endif
