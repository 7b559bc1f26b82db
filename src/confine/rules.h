/*
 * Which system calls each role may make, as libseccomp wants to be told it.
 *
 * It takes five milliseconds to make a filter of this, and libseccomp is a third of the memory that an
 * acceptor has: so it is done when fdsup is built (generate.c), and what is built holds the filters.
 */
#ifndef FDSUP_CONFINE_RULES_H
#define FDSUP_CONFINE_RULES_H

#include <seccomp.h>
#include <stdbool.h>

#include "confine/confine.h"

/* For seccomp_release(3); NULL: it cannot be made. `is_wide`: see confine_is_wide. */
scmp_filter_ctx rules_make(enum confine_role role, bool is_wide);

#endif
