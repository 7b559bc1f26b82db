/*
 * One service, once its keys have been read: its type is settled, its names are resolved, and its
 * keys are seen together.
 */
#ifndef FDSUP_CONFIG_SERVICE_H
#define FDSUP_CONFIG_SERVICE_H

#include "config/account.h"
#include "config/draft.h"
#include "config/listen.h"
#include "config/program.h"

/* What the system was asked during one run. */
struct lookups {
	struct account_cache accounts;
	struct program_cache programs;
	struct port_cache ports;
	uint32_t n_cpus; /* that we may use */
};

void lookups_init(struct lookups *lookups);
void lookups_fini(struct lookups *lookups);

/* Gives the zeroed service every default of the table. 0 or -ENOMEM. */
int service_set_defaults(struct service_config *service);

/* A service that has the values of another. NULL: no memory. */
struct service_config *service_copy(const struct service_config *source);

/* The structs that a service outside a pack owns; they are freed without what they own. */
bool service_has_parts(const struct service_config *service);
void service_free_parts(struct service_config *service);

/* Adds a problem for each thing that is wrong, and fills what is derived. */
void service_complete(struct draft *draft, struct lookups *lookups);

#endif
