/*
 * The UDP ports of the builtin services. None of them may answer another, or itself at its other
 * address, for two that answer each other never stop; so each is told the ports of all.
 */
#ifndef FDSUP_CONFIG_BUILTIN_PORTS_H
#define FDSUP_CONFIG_BUILTIN_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/* Zeroed it is empty. In order, none twice, and none of the low ones, which are never answered. */
struct builtin_ports {
	uint16_t numbers[BUILTIN_PORTS_MAX];
	size_t n;
};

/* Those of the service, if it is such a one. 0, or -ENOSPC: there are too many, and nothing changed. */
int builtin_ports_add(struct builtin_ports *ports, const struct service_config *service);

bool builtin_ports_equal(const struct builtin_ports *a, const struct builtin_ports *b);

#endif
