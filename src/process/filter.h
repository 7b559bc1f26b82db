/*
 * System calls that a sandboxed program may not use: seccomp/sandbox_rules.c, installed by the child.
 */
#ifndef FDSUP_PROCESS_FILTER_H
#define FDSUP_PROCESS_FILTER_H

#include <stdbool.h>

#include "config/config.h"
#include "seccomp/filters.h"

/* The filter of a sandbox; n is 0 where the kernel knows no filters. 0 or -ENOMEM. */
int filter_get(struct filter *ret_filter, enum sandbox sandbox, bool has_network);

/* For a vfork child, which has set PR_SET_NO_NEW_PRIVS. 0 or -1 with errno. */
int filter_install(const struct filter *filter);

#endif
