/*
 * The name of a Unix listener: a path, or "@name" in the abstract namespace.
 *
 * The copies of a socket share its name, on a reload and from service to service. The file goes
 * with the last of them.
 */
#ifndef FDSUP_SUPERVISOR_BOUND_NAME_H
#define FDSUP_SUPERVISOR_BOUND_NAME_H

#include <stddef.h>

#include "base/unix_name.h"
#include "config/config.h"

struct bound_name {
	unsigned n_users;
	struct unix_file file;
	char text[];
};

/* Makes the socket. 0 and the first use of its name, or -errno. */
int bound_name_listen(const struct service_config *config, const char *text, int *ret_fd,
	struct bound_name **ret_name);

/* A name that was made before; one use. NULL without memory. */
struct bound_name *bound_name_restore(const char *text, const struct unix_file *file);

struct bound_name *bound_name_share(struct bound_name *name);

/* Ends one use. NULL: none. */
void bound_name_release(struct bound_name *name);

/* Whether clients still find the socket by it. */
bool bound_name_is_there(const struct bound_name *name);

/* Gives the file the owner, group and mode of the configuration. */
void bound_name_apply(const struct bound_name *name, const struct service_config *config);

/* Why it could not be made, and what to do. */
void bound_name_explain(const char *text, int r, char *reason, size_t size);

#endif
