/*
 * The listeners of one service, bound as a whole or not at all.
 */
#ifndef FDSUP_SUPERVISOR_LISTENERS_H
#define FDSUP_SUPERVISOR_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct listener {
	int fd;                        /* owned */
	uint32_t id;                   /* unique among all, never used again */
	struct listen_address where;
	bool is_handed;                /* replacing listeners: the acceptor has this one already */
	bool is_taken_over;            /* a copy of a socket that was bound before: listeners_find_bound */
};

enum { LISTENERS_ERROR_SIZE = 1024 };

/*
 * Finds a socket that is bound already and may be taken over: a copy, or -1. In that case
 * *ret_shares_port says that a socket of ours is bound to the same port, and lets another beside it.
 */
typedef int listeners_find_bound(void *context, const struct service_config *config,
	const struct listen_address *where, bool *ret_shares_port);

/*
 * Binds every address of the configuration. 0 and a new array, or -errno with a text that names the
 * address, who holds it and what to do. `find` may be NULL.
 */
int listeners_open(const struct service_config *config, listeners_find_bound *find, void *context,
	struct listener **ret_listeners, char error[LISTENERS_ERROR_SIZE]);

/* Gives bound sockets the options of a new configuration: backlog, nodelay, keepalive. */
void listeners_apply(const struct service_config *config, const struct listener *listeners, uint32_t n);

/* Closes and frees all n. */
void listeners_close(struct listener *listeners, uint32_t n);

bool listen_address_equal(const struct listen_address *a, const struct listen_address *b);

#endif
