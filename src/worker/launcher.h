/*
 * One connection, one command: starts it, keeps the connection while starting is impossible for
 * the moment, reaps it, and lets the acceptor and the log know.
 *
 * What goes wrong is said once an episode: at the first failure, and when it is over.
 */
#ifndef FDSUP_WORKER_LAUNCHER_H
#define FDSUP_WORKER_LAUNCHER_H

#include <stdint.h>

#include "worker/children.h"
#include "worker/environment.h"
#include "worker/reports.h"
#include "worker/spawn.h"
#include "wire/slots.h"

struct launcher {
	struct spawn_plan plan; /* descriptor and strings are the caller's */
	struct environment environment;
	struct children children;
	struct reports reports;
	struct slots slots; /* the caller's */
	pid_t pid;          /* our own */
	int held_fd; /* taken, but could not be started yet; -1: none */
	struct handoff held_record;
	struct slot_claim held_claim;
	int last_error;    /* the failure we are in, or 0 */
	uint64_t n_failed; /* connections closed in this episode */
	uint64_t failing_since_ms;
};

/* The plan is copied. 0 or -ENOMEM. */
int launcher_init(struct launcher *launcher, const struct spawn_plan *plan,
	char *const inherited_environment[], const char *service, struct source *source,
	const struct slots *slots);
void launcher_fini(struct launcher *launcher);

/*
 * Serves the connection, which it takes, unless somebody else has it by now. When that is impossible just now it is held, and
 * launcher_retry is to be called after a pause, before any other start.
 */
void launcher_start(struct launcher *launcher, const struct handoff *record, int connection);
void launcher_retry(struct launcher *launcher);

/* Closes the connection that is held. */
void launcher_give_up(struct launcher *launcher);

/* Reaps what has ended. Returns how many commands that were. */
size_t launcher_reap(struct launcher *launcher);

/* To the process group of every command that runs. */
void launcher_signal_all(const struct launcher *launcher, int signal_number);

/* Has the start of every running command reported again, to an acceptor that is new. */
void launcher_report_again(struct launcher *launcher);

#endif
