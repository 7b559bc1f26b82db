/*
 * The listeners of one service, bound as a whole or not at all; but for what may still come about:
 * addresses and interfaces that are not there yet, and at the start of fdsup whatever is in the way of
 * one. They are bound later (late.h).
 */
#ifndef FDSUP_SUPERVISOR_LISTENERS_H
#define FDSUP_SUPERVISOR_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/unix_name.h"
#include "config/config.h"
#include "net/listener.h"

struct bound_name;

struct listener {
	int fd;                        /* owned */
	uint32_t id;                   /* unique among all, never used again */
	struct listen_address where;   /* its path is the text of `name` */
	struct bound_name *name;       /* of a Unix socket, shared with its copies; else NULL */
	bool is_handed;                /* replacing listeners: the acceptor has this one already */
	bool is_taken_over;            /* a copy of a socket that was bound before: listeners_find_bound */
};

enum { LISTENERS_ERROR_SIZE = 1024 };

/*
 * Finds a socket that is bound already and may be taken over, or NULL. In that case
 * *ret_shares_port says that a socket of ours is bound to the same port, and lets another beside it.
 */
typedef const struct listener *listeners_find_bound(void *context,
	const struct service_config *config, const struct listen_address *where,
	bool *ret_shares_port);

/*
 * Binds every address of the configuration that there is. 0 and a new array, or -errno with a text that
 * names the address, who holds it and what to do. `find` may be NULL. Sockets that are taken over keep
 * their options until listeners_apply.
 */
int listeners_open(const struct service_config *config, listeners_find_bound *find, void *context,
	struct listener **ret_listeners, uint32_t *ret_n, char error[LISTENERS_ERROR_SIZE]);

/*
 * The same at the start of fdsup: what cannot be bound for whatever reason is left out, too, so that a
 * port that another program holds takes no other away. *error is the first reason, or empty.
 */
int listeners_open_some(const struct service_config *config, struct listener **ret_listeners,
	uint32_t *ret_n, char error[LISTENERS_ERROR_SIZE]);

/* Binds one that could not be bound before. 0 or -errno, with the step that failed: a constant. */
int listeners_open_late(const struct service_config *config, const struct listen_address *where,
	struct listener *ret_listener, const char **ret_step);

/* Whether it may come about by itself: an address or interface that is not there yet. */
bool listeners_may_appear(int r);

/* The text for such an error. To find out who holds an address takes its time. */
void listeners_explain(const struct service_config *config, const struct listen_address *where, int r,
	const char *step, char error[LISTENERS_ERROR_SIZE]);

/* Ids up to this one are not given again. */
void listeners_know_id(uint32_t id);

/* Gives bound sockets the options of a new configuration: all but the address. */
void listeners_apply(const struct service_config *config, const struct listener *listeners, uint32_t n);

/* Closes and frees all n. The file of a Unix socket goes with its last copy. */
void listeners_close(struct listener *listeners, uint32_t n);

enum { LISTEN_TEXT_SIZE = UNIX_NAME_MAX + 1 };
_Static_assert((int)LISTEN_TEXT_SIZE >= (int)LISTENER_TEXT_SIZE, "room for every address");

/* "*:80", "[::1]:80", "/run/x.sock", "@x". Returns text. */
char *listen_address_format(
	char text[LISTEN_TEXT_SIZE], const struct listen_address *where);

/* One socket serves for both. */
bool listen_address_equal(const struct listen_address *a, const struct listen_address *b);

/* And it is used for the same. */
bool listen_address_is_same(const struct listen_address *a, const struct listen_address *b);

#endif
