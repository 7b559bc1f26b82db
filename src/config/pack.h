/*
 * A configuration in one piece of memory, pointers and all: what a loading process hands to the one
 * that asked for it, and how a service is kept afterwards (five hundred services in a small heap).
 *
 * Of keys that resolve to something (address, port, user, group, groups) a copy has what they resolved
 * to, and no longer how they were written.
 */
#ifndef FDSUP_CONFIG_PACK_H
#define FDSUP_CONFIG_PACK_H

#include <stddef.h>

#include "config/config.h"

/* Filled from the front. With base NULL nothing is stored and `used` counts what would be. */
struct pack {
	char *base;
	size_t size;
	size_t used;
	bool is_full; /* something did not fit: what was packed cannot be used */
};

/* Copies of the source in the pack, which need not and must not be freed; NULL if it is full. */
struct config *config_pack(struct pack *pack, const struct config *source);
struct config_errors *config_errors_pack(struct pack *pack, const struct config_errors *source);

/*
 * A copy on the heap, each service in one piece, as config_free and service_config_free take it.
 * NULL without memory.
 */
struct config *config_copy(const struct config *source);

#endif
