/*
 * Workers that a fdsup started in its last moment, before it could deposit that it has them.
 */
#ifndef FDSUP_SUPERVISOR_UNKNOWN_H
#define FDSUP_SUPERVISOR_UNKNOWN_H

struct supervisor;

/*
 * Lets those finish that run a program of ours, or one of type worker. Of other programs nothing tells
 * what fdsup has started from what that has started. To be called when what was deposited is restored.
 */
void unknown_end(const struct supervisor *supervisor);

#endif
