/*
 * System calls that a sandboxed program may not use (seccomp(2)): compiled here, before anything is
 * spawned, and installed by the child.
 *
 * It is a list of what is refused, not of what is allowed: a C library of next year makes calls that no
 * list of today has. What is refused fails with EPERM, and where programs know another way with the
 * error that makes them take it (ENOSYS, EAFNOSUPPORT); nothing is killed.
 */
#ifndef FDSUP_PROCESS_FILTER_H
#define FDSUP_PROCESS_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

#include "config/config.h"

/*
 * The filter of a sandbox, which stays as it is and where it is. NULL with errno if it could not be
 * made; ENOSYS: the kernel knows no filters.
 */
const struct sock_fprog *filter_get(enum sandbox sandbox, bool has_network);

/* For a vfork child, which has set PR_SET_NO_NEW_PRIVS. 0 or -1 with errno. */
int filter_install(const struct sock_fprog *filter);

#endif
