/*
 * What a script may conclude from an exit code. Those of `status` follow the Linux Standard Base,
 * as monitors and init scripts expect; 150 is from the range that it leaves to applications.
 */
#ifndef FDSUP_CTL_EXITCODE_H
#define FDSUP_CTL_EXITCODE_H

#include <jansson.h>
#include <stdbool.h>

enum {
	CTL_OK = 0,
	CTL_DEAD = 1,        /* of status: dead, and the pid file is still there */
	CTL_FAILED = 1,      /* of the verbs that change something */
	CTL_NOT_RUNNING = 3, /* or a service that was asked for is stopped */
	CTL_UNKNOWN = 4,     /* no permission, no answer, or nonsense */
	CTL_USAGE = 64,
	CTL_DEGRADED = 150,
};

/*
 * Of a reply to Status. What is unwell outweighs what is stopped on purpose; the latter counts only
 * for services that were named (`is_named`).
 */
int exitcode_of_status(const json_t *parameters, bool is_named);

/* Of one outcome of the method "Start", "Stop", "Pause" and so on: CTL_OK or CTL_FAILED. */
int exitcode_of_outcome(const json_t *outcome, const char *method);

/* Of an error reply. `is_query`: the verb changes nothing, and so can only fail to tell. */
int exitcode_of_error(const char *error, bool is_query);

/* Of a failure to reach the daemon: errno of connect(2). */
int exitcode_of_connect(int error);

#endif
