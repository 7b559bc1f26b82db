/*
 * What is executed for a worker of a service: the administrator's command, or one of our own programs
 * that serves it (fdsup-worker, fdsup-redirect, fdsup-builtin).
 */
#ifndef FDSUP_SUPERVISOR_COMMAND_LINE_H
#define FDSUP_SUPERVISOR_COMMAND_LINE_H

#include "supervisor/service/service.h"

/* Of the options of one command line. */
enum { COMMAND_LINE_NUMBERS = 5 + LISTEN_SOCKETS_MAX + BUILTIN_PORTS_MAX };

/* One piece of memory, but for what it borrows from the configuration and the supervisor. */
struct command_line {
	const char *path;
	long long idle_timeout_ms; /* of the worker */
	size_t n_numbers;
	char numbers[COMMAND_LINE_NUMBERS][24];
	char limits[LIMITS_TEXT_SIZE];
	const char *argv[]; /* ends with a NULL */
};

/* For the next worker of the service, which has n_others beside it. NULL without memory. */
struct command_line *command_line_create(const struct service *service, uint32_t n_others);

/* What people know the service's program by: its command, or the name of ours. */
const char *command_line_name(const struct service_config *config);

#endif
