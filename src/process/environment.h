/*
 * The environment of a service's programs: clean, made from nothing, the documented set and no more.
 */
#ifndef FDSUP_PROCESS_ENVIRONMENT_H
#define FDSUP_PROCESS_ENVIRONMENT_H

#include "config/config.h"

extern const char environment_default_path[];

/*
 * PATH, HOME, USER, LOGNAME, SHELL of the account, FDSUP_SERVICE, then what pass_environment takes
 * from our own environment, then what `environment` adds; a later one replaces an earlier one of the
 * same name; then what a long-lived program needs to find us: FDSUP_QUEUE, NOTIFY_SOCKET and
 * WATCHDOG_USEC as its configuration asks for them. A NULL-terminated array in one piece of memory, freed with free; NULL without memory.
 */
char **environment_create(const struct service_config *service, const char *notify_socket);

#endif
