/*
 * From a connection to a running command: vfork, a few calls in the child, exec.
 *
 * All descriptors of this process are close-on-exec and no signal has a handler, so that the child
 * needs to undo nothing but the signal mask.
 */
#ifndef FDSUP_WORKER_SPAWN_H
#define FDSUP_WORKER_SPAWN_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "wire/limits.h"
#include "wire/slots.h"

enum { SPAWN_STDERR_OURS = -1, SPAWN_STDERR_CONNECTION = -2 };

struct spawn_plan {
	const char *path;
	char *const *argv;
	int stderr_fd; /* a descriptor, or one of the above */
	bool has_nofile;
	struct rlimit nofile;
	bool has_limits;
	struct resource_limit limits[LIMIT_KINDS]; /* within our hard limits */
};

/*
 * Starts the command with the connection as descriptors 0 and 1, as the last step before exec of one
 * that begins to serve it. 0 with its process in *ret_pid, once exec has succeeded; or -errno, and no
 * process is left; -ECANCELED: the connection is somebody else's by now. Descriptors 0 to 2 of this process
 * must be open, so that the connection is none of them.
 */
int spawn_command(
	const struct spawn_plan *plan, char *const environment[], int connection,
	struct slot_claim *claim, pid_t *ret_pid);

/* Whether the same attempt may succeed a moment later, though nobody has mended anything. */
bool spawn_error_is_passing(int error);

#endif
