/*
 * The last to be ended: descendants that no service can be told of, because they cleared their
 * environment (process/orphans.h knows a process by it). They end with fdsup.
 */
#ifndef FDSUP_SUPERVISOR_STRAYS_H
#define FDSUP_SUPERVISOR_STRAYS_H

struct supervisor;

/* Everything else has ended: ends what is left, and then the loop. */
void strays_end(struct supervisor *supervisor);

#endif
