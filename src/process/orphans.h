/*
 * Processes that outlived the one that started them. The supervisor is their subreaper
 * (PR_SET_CHILD_SUBREAPER), so they are its descendants; which service they belong to is told by
 * FDSUP_SERVICE in the environment with which they were executed.
 */
#ifndef FDSUP_PROCESS_ORPHANS_H
#define FDSUP_PROCESS_ORPHANS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The variable by which all processes of an instance of fdsup, whoever started them, are known. */
extern const char orphans_instance[];

/* From now on those of this instance count as descendants: their supervisor died before them. */
void orphans_adopt(const char *instance);

/* Whether a process is of this instance. */
bool orphans_is_of(pid_t pid, const char *instance);

/* Walks all processes of this instance, and no others. */
int orphans_walk_instance(const char *instance,
	void (*visit)(void *context, pid_t pid, const char *service), void *context);

/*
 * Walks all descendants of this process. `visit` gets each pid with the service it names (NULL: it
 * names none, or its environment cannot be read); zombies are left out. 0 or -errno (no /proc).
 */
int orphans_walk(void (*visit)(void *context, pid_t pid, const char *service), void *context);

/* The parent of a process that runs; 0: there is none of this pid, or it has ended. */
pid_t process_parent(pid_t pid);

/* Whether it was executed with this variable. */
bool process_has_variable(pid_t pid, const char *name);

/* Whether it names this service in its environment. */
bool process_is_of(pid_t pid, const char *service);

#endif
