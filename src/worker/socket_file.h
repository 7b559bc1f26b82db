/*
 * The address of a classic worker socket: a path, or "@name" in the abstract namespace.
 *
 * What is in the way is treated as base/unix_name.h says, and told to the user.
 */
#ifndef FDSUP_WORKER_SOCKET_FILE_H
#define FDSUP_WORKER_SOCKET_FILE_H

#include "base/unix_name.h"

struct socket_file {
	const char *name; /* as the user gave it */
	struct unix_file file;
};

/*
 * Listens on the address, with the file's permission bits set to mode. Returns the socket
 * (close-on-exec, non-blocking), or -1 after having logged what is wrong and what helps.
 */
int socket_file_listen(struct socket_file *file, const char *name, unsigned mode);

/* Removes the file, unless another has taken its place. */
void socket_file_remove(const struct socket_file *file);

#endif
