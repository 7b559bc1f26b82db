/*
 * The command line of fdsup-worker, in its two forms: under the supervisor (--queue), and by hand.
 */
#ifndef FDSUP_WORKER_OPTIONS_H
#define FDSUP_WORKER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "wire/limits.h"

/* What the commands find as standard error. */
enum stderr_kind { STDERR_OURS, STDERR_CONNECTION, STDERR_NULL };

enum { OPTIONS_UIDS_MAX = 16 };

struct options {
	int queue_fd;            /* -1: by hand */
	int slots_fd;            /* of the queue; -1: it has none */
	const char *socket_name; /* by hand */
	const char *service;     /* NULL: it has no name */
	enum stderr_kind stderr_kind;
	uint64_t idle_timeout_ms; /* 0: never */
	uint64_t stop_timeout_ms;
	int stop_signal;
	rlim_t nofile; /* soft limit of the commands; RLIM_INFINITY: as it is */
	struct resource_limit limits[LIMIT_KINDS]; /* of the commands */
	const char *root;      /* root directory of the commands; NULL: ours */
	const char *directory; /* in it; NULL: as it is, or "/" below a root */
	uint64_t capabilities; /* that are kept then */
	bool is_holding;       /* else all of them are */
	unsigned socket_mode;
	uid_t allowed_uids[OPTIONS_UIDS_MAX]; /* besides root and ourselves */
	size_t n_allowed_uids;
	bool is_verbose;
	const char *command; /* as given: a path, or by hand also a name to be found in PATH */
	char *const *command_argv;
};

/*
 * Fills in the options. True; or false with the exit status of the program in *ret_status, after
 * help or an explanation has been written.
 */
bool options_parse(struct options *options, int argc, char *argv[], int *ret_status);

#endif
