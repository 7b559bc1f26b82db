/*
 * Landlock for our own processes: no files, no TCP of their own making.
 */
#ifndef FDSUP_CONFINE_LANDLOCK_H
#define FDSUP_CONFINE_LANDLOCK_H

#include "confine/confine.h"

/* The level that is in force (landlock_level), or -errno. */
int landlock_restrict(enum confine_role role);

#endif
