/*
 * The key `after`: the services that it names must be there, and none may come after itself.
 */
#ifndef FDSUP_CONFIG_SEQUENCE_H
#define FDSUP_CONFIG_SEQUENCE_H

#include "config/problems.h"

/* Adds a problem for each name that is no service, and one for each circle. */
void sequence_check(const struct config *config, struct problems *problems);

/* Whether the service is to be started after the other, as its own list says. */
bool sequence_names(const struct service_config *service, const char *other);

#endif
