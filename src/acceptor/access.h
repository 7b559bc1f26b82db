/*
 * Who may connect to a service, as the supervisor has told it.
 */
#ifndef FDSUP_ACCEPTOR_ACCESS_H
#define FDSUP_ACCEPTOR_ACCESS_H

#include "policy/access.h"
#include "wire/control.h"

struct access {
	struct access_rules rules;
	struct network networks[];
};

/*
 * Reads what CONTROL_ACCESS says. 0 and the caller's *ret_access (free(3)), NULL if everybody may
 * connect; or -EINVAL: the file does not hold what was announced, or another -errno.
 */
int access_read(const struct control_access *message, int fd, struct access **ret_access);

#endif
