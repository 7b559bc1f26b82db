/*
 * The control group (cgroups(7), version 2) that was given to us to divide: where it is, and what can be
 * had in it.
 */
#ifndef FDSUP_BASE_CGROUP_H
#define FDSUP_BASE_CGROUP_H

#include <limits.h>
#include <stdbool.h>

/* Where fdsup keeps its own processes, when those of services are limited, is "fdsup.PID". */
#define CGROUP_PREFIX "fdsup."

/*
 * The folder of the group in which we were started, whether we still are in it or in the part of it that
 * is for fdsup itself. 0; -ENOENT: there is no version 2 here, or none that shows our group; -errno.
 */
int cgroup_find(char ret_path[PATH_MAX]);

/* Whether we may make groups in it, and move processes there. */
bool cgroup_is_ours(const char *path);

/* Whether "memory", "pids" or "cpu" can be limited in groups below it, and whether it is already. */
bool cgroup_has_controller(const char *path, const char *controller);
bool cgroup_has_enabled(const char *path, const char *controller);

#endif
