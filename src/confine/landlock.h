/*
 * Landlock: files and TCP out of reach, whatever the permissions of the user say (landlock(7)).
 */
#ifndef FDSUP_CONFINE_LANDLOCK_H
#define FDSUP_CONFINE_LANDLOCK_H

#include "confine/confine.h"

/* The version of the ABI that is in force, or -errno. */
int landlock_restrict(enum confine_role role);

#endif
