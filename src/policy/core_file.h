/*
 * What became of the memory of a program that a signal ended: where its core file is, or why there is
 * none. Pure: what the kernel says comes as text.
 */
#ifndef FDSUP_POLICY_CORE_FILE_H
#define FDSUP_POLICY_CORE_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct core_facts {
	int status;            /* as waitpid(2) gives it */
	int pid;
	unsigned uid;
	const char *pattern;   /* kernel.core_pattern, without a newline; NULL: unknown */
	bool uses_pid;         /* kernel.core_uses_pid */
	uint64_t limit;        /* RLIMIT_CORE of the program, soft */
	const char *limit_key; /* where that is set: "limits.core", "ulimit -c" */
	const char *program;   /* its path */
	const char *directory; /* its working directory at the start */
};

enum { CORE_TEXT_SIZE = 512 };

/* Whether the signal is one for which the kernel writes a core file. */
bool core_is_expected(int status);

/*
 * True: `text` says where it is; false: why there is none. Empty where nobody would expect one. What the
 * pattern says of time and host is left as it stands there.
 */
bool core_explain(char text[CORE_TEXT_SIZE], const struct core_facts *facts);

#endif
