/*
 * The environment of a service's programs: clean, made from nothing, the documented set and no more.
 */
#ifndef FDSUP_PROCESS_ENVIRONMENT_H
#define FDSUP_PROCESS_ENVIRONMENT_H

#include "config/config.h"

extern const char environment_default_path[];

/* FDSUP_INSTANCE of all that is made from now on: process/orphans.h. */
void environment_set_instance(const char *instance);

/*
 * PATH, HOME, USER, LOGNAME, SHELL of the account, FDSUP_SERVICE, FDSUP_INSTANCE, then what pass_environment takes
 * from our own environment, then what `environment` adds; a later one replaces an earlier one of the
 * same name; then what a long-lived program needs to find us: FDSUP_QUEUE, NOTIFY_SOCKET,
 * FDSUP_READY_FD, WATCHDOG_USEC, LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID (whose value is left to process/spawn.h)
 * as its configuration asks for them. A NULL-terminated array in one piece of memory, freed with free; NULL without memory.
 */
char **environment_create(
	const struct service_config *service, size_t n_sockets, const char *notify_socket);

/*
 * The descriptor on which a program of the service announces that it is ready: the first after those
 * that it gets anyway.
 */
int environment_ready_fd(const struct service_config *service, size_t n_sockets);

/* Where a worker finds the slots of its queue (wire/slots.h): behind all others. */
int environment_slots_fd(const struct service_config *service);

/* Where LISTEN_PID has its value in such an environment; NULL if it has none. */
char *environment_listen_pid(char **environment);

#endif
