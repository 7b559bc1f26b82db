/*
 * Loading a configuration in a process of its own.
 *
 * The user database may be on a server that does not answer, and libconfig 1.5 knows files that make
 * it exit, hang or eat time; none of that may touch the supervisor, and what loading takes in memory
 * (name service modules above all) goes with the process. The result comes back through memory that
 * both share.
 */
#ifndef FDSUP_SUPERVISOR_LOADING_H
#define FDSUP_SUPERVISOR_LOADING_H

#include "config/config.h"

struct loading;
struct supervisor;

enum { LOADING_TIMEOUT_MS = 30000 };

/* Room for a configuration. Pages that nobody writes cost nothing; the files are limited to far less. */
enum { LOADING_PACK_SIZE = 32 * 1024 * 1024 };

/*
 * Called once, from the loop: `config` (the callee's) if the file is right, else NULL and at least
 * one text in `errors` (borrowed for the call).
 */
typedef void loading_done(
	void *context, struct config *config, const struct config_errors *errors);

/*
 * Loads the supervisor's configuration file, for at most LOADING_TIMEOUT_MS. NULL and errno when
 * there can be no process; then `done` is not called.
 */
struct loading *loading_start(struct supervisor *supervisor, loading_done *done, void *context);

/* Ends one that is under way; `done` is not called. */
void loading_cancel(struct loading *loading);

/* The same before there is a loop: waits, and calls `done` before it returns. */
int loading_wait(const char *path, loading_done *done, void *context);

/* The same for texts that were read before: config_load_texts. */
int loading_wait_texts(
	const struct config_text *texts, size_t n_texts, loading_done *done, void *context);

#endif
