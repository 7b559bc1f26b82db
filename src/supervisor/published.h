/*
 * The file "listeners" in the runtime directory: what fdsupctl shows when the supervisor is dead.
 */
#ifndef FDSUP_SUPERVISOR_PUBLISHED_H
#define FDSUP_SUPERVISOR_PUBLISHED_H

struct supervisor;

/* As things are now. */
void published_write(const struct supervisor *supervisor);

#endif
