/*
 * The worker of others: found by the name of its socket, and known by who made it.
 */
#ifndef FDSUP_RELAY_PEER_H
#define FDSUP_RELAY_PEER_H

#include <stdbool.h>

#include "base/unix_name.h"

struct peer_rule {
	const char *text; /* the name as it was given */
	struct unix_name name;
	bool has_uid;     /* it must be root's, our own user's or this one's */
	uid_t uid;
};

enum { PEER_REASON_SIZE = 192 };

/*
 * Connects without waiting. The socket (close-on-exec, non-blocking), or -errno with a reason for
 * people: -EACCES also when somebody is there who may not be our worker, -EAGAIN when its backlog
 * is full.
 */
int peer_connect(const struct peer_rule *rule, char reason[PEER_REASON_SIZE]);

/* Whether it is gone, or has closed its end. (It has nothing to say: what it sends is thrown away.) */
bool peer_is_gone(int socket);

#endif
