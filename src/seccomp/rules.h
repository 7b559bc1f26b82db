/*
 * Which system calls may be made, as libseccomp wants to be told it.
 *
 * It takes five milliseconds to make a filter of this, and libseccomp is a third of the memory that an
 * acceptor has: so it is done when fdsup is built (generate.c), and what is built holds the filters.
 */
#ifndef FDSUP_SECCOMP_RULES_H
#define FDSUP_SECCOMP_RULES_H

#include <seccomp.h>

#include "seccomp/filters.h"

/* For seccomp_release(3); NULL: it cannot be made. */
scmp_filter_ctx rules_make(enum filter_kind kind);

/* Parts of it, for a kind of theirs. They add to a filter that was begun so. 0 or -errno. */
uint32_t own_rules_default(enum filter_kind kind);
int own_rules_add(scmp_filter_ctx filter, enum filter_kind kind);
int sandbox_rules_add(scmp_filter_ctx filter, enum filter_kind kind);

#endif
