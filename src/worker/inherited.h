/*
 * What a process inherits and its own children must not: descriptors beyond 2 and signal
 * dispositions. Put right once at the start, so that nothing is left to do for each command.
 */
#ifndef FDSUP_WORKER_INHERITED_H
#define FDSUP_WORKER_INHERITED_H

/*
 * Descriptors 0 to 2 are open afterwards, all others close-on-exec, all dispositions default.
 * 0 or -errno.
 */
int inherited_tidy(void);

#endif
