/*
 * What the key sandbox means: a filter of system calls and a set of rules for files, made before a
 * program is spawned and entered by the child.
 *
 * What the kernel lacks is told to the caller, once, and the rest goes on.
 */
#ifndef FDSUP_PROCESS_SANDBOX_H
#define FDSUP_PROCESS_SANDBOX_H

#include "config/config.h"
#include "seccomp/filters.h"

struct sandbox_rules {
	struct filter filter; /* n is 0: none */
	int landlock_fd;      /* owned; -1: none */
};

/*
 * For a program of the service; `program` is what is executed first, which is fdsup-worker where it
 * serves for the command. A service without a sandbox gets an empty one. 0 or -errno: nothing must be
 * started then, *ret_step says why.
 */
int sandbox_make(struct sandbox_rules *ret_rules, const struct service_config *service,
	const char *program, const char **ret_step);
void sandbox_fini(struct sandbox_rules *rules);

/* For a vfork child, which has set PR_SET_NO_NEW_PRIVS. 0 or -1 with errno. */
int sandbox_enter(const struct sandbox_rules *rules);

/* What this kernel lacks, a text; NULL: nothing, or it was told before. */
const char *sandbox_lacks(void);

#endif
