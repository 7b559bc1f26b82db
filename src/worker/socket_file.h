/*
 * The address of a classic worker socket: a path, or "@name" in the abstract namespace.
 *
 * A file left behind by a worker that died is replaced; a living worker's never is, nor anything
 * that is not a socket. At the end the file is removed if it is still ours.
 */
#ifndef FDSUP_WORKER_SOCKET_FILE_H
#define FDSUP_WORKER_SOCKET_FILE_H

#include <sys/types.h>

struct socket_file {
	const char *name; /* as the user gave it */
	dev_t device;     /* of the file we made; inode 0 for an abstract name */
	ino_t inode;
};

/*
 * Listens on the address, with the file's permission bits set to mode. Returns the socket
 * (close-on-exec, non-blocking), or -1 after having logged what is wrong and what helps.
 */
int socket_file_listen(struct socket_file *file, const char *name, unsigned mode);

/* Removes the file, unless another has taken its place. */
void socket_file_remove(const struct socket_file *file);

#endif
