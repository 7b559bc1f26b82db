/*
 * A control group for each service that asks for one: its processes are in it whatever they do, have
 * its limits together, and are ended together.
 *
 * Groups are made below the one in which fdsup was started, as "fdsup.PID.SERVICE". Groups with limits
 * must not have processes beside them (cgroups(7), "no internal processes"), so that fdsup moves itself
 * and all its own into "fdsup.PID" first, once. Nothing of it is left at the end.
 */
#ifndef FDSUP_PROCESS_CGROUP_H
#define FDSUP_PROCESS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"

/*
 * Makes the group of the service if it is not there, and gives it the limits of the configuration.
 * A descriptor by which a process joins it, the caller's to close; or -errno with the step in
 * *ret_step.
 */
int cgroup_open(const struct service_config *service, const char **ret_step);

/* For a child: becomes a member. 0 or -1 with errno. */
int cgroup_join(int join_fd);

/* Each process in the group of the service, and in groups below it. 0 or -errno. */
int cgroup_walk(const char *service, void (*visit)(void *context, pid_t pid), void *context);

/* Ends all of them at once. Where the kernel cannot (before 5.14): each of them that is there now. */
void cgroup_kill(const char *service);

/* How many of its processes were killed since it was made because its memory was used up. */
uint64_t cgroup_oom_kills(const char *service);

/* Removes the group, and those below it. -EBUSY: there still is a process. */
int cgroup_remove(const char *service);

/* In which group all this is, and whose pid is part of the names; NULL: nothing is made. */
const char *cgroup_base(int *ret_owner);

/* The same groups for the fdsup that takes over from one that died. */
void cgroup_adopt(const char *path, int owner_pid);

/* At the end of fdsup: it goes back to where it was started, and the groups of its own are removed. */
void cgroup_leave(void);

#endif
