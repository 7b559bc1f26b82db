/*
 * Where our other programs lie: beside this one (the build tree), in ../libexec/fdsup from it (an
 * installation anywhere), or where the build was told to install them.
 */
#ifndef FDSUP_SUPERVISOR_HELPERS_H
#define FDSUP_SUPERVISOR_HELPERS_H

#include <stdint.h>

struct supervisor;

/* Fills in the paths of all of them, and our own. 0, or -ENOENT after it was logged. */
int helpers_find_all(struct supervisor *supervisor);

/* Which files those are that workers run. */
uint64_t helpers_identity_of_workers(const struct supervisor *supervisor);

/* Tells one version of a program's file from another; 0: there is none. */
uint64_t helpers_identity(const char *path);

#endif
