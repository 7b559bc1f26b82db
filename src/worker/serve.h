/*
 * The loop: takes connections, starts commands, reaps them, until it is told to stop or nothing
 * will come any more.
 */
#ifndef FDSUP_WORKER_SERVE_H
#define FDSUP_WORKER_SERVE_H

#include "worker/options.h"
#include "worker/source.h"
#include "worker/spawn.h"
#include "wire/slots.h"

/*
 * Blocks the signals that the loop serves by, and SIGPIPE, in this process for good, and returns
 * the descriptor to read them from; or -errno. To be called before there is anything to be cleaned
 * up.
 */
int serve_open_signals(void);

/* 0 at the end, or -ENOMEM before the beginning. Does not close the source nor the descriptor. */
int serve(const struct options *options, const struct spawn_plan *plan, struct source *source,
	const struct slots *slots, int signal_fd, char *const environment[]);

#endif
