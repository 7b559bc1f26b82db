/*
 * The environment of a command: ours, and what is to be known about its connection.
 *
 * What does not change is gathered once. Variables with the names we set never come from outside.
 */
#ifndef FDSUP_WORKER_ENVIRONMENT_H
#define FDSUP_WORKER_ENVIRONMENT_H

#include <stddef.h>

#include "wire/handoff.h"

enum { ENVIRONMENT_VARIABLES = 11, ENVIRONMENT_TEXT_SIZE = 96 };

struct environment {
	char **variables; /* the fixed ones, room for ENVIRONMENT_VARIABLES more, NULL */
	size_t n_fixed;
	char *service; /* owned: "FDSUP_SERVICE=..." */
	char texts[ENVIRONMENT_VARIABLES][ENVIRONMENT_TEXT_SIZE];
};

/* Keeps pointers to the strings of `inherited`. Service NULL: no FDSUP_SERVICE. 0 or -ENOMEM. */
int environment_init(struct environment *environment, char *const inherited[], const char *service);
void environment_fini(struct environment *environment);

/* The environment for this connection, valid until the next call. */
char *const *environment_describe(
	struct environment *environment, const struct handoff *connection);

#endif
