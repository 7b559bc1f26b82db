/*
 * The address of a classic worker socket: a path, or "@name" in the abstract namespace.
 *
 * A file left behind by a process that died is replaced; a living one's never is, nor anything that
 * is not a socket. It is removed at the end if it is still ours.
 */
#ifndef FDSUP_LIBRARY_SOCKET_FILE_H
#define FDSUP_LIBRARY_SOCKET_FILE_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct socket_file {
	struct sockaddr_un name;
	socklen_t name_size;
	dev_t device; /* of the file we made; inode 0: there is none */
	ino_t inode;
};

/* A listening socket (close-on-exec, non-blocking), or -errno as fdsup_listen documents it. */
int socket_file_listen(struct socket_file *file, const char *name, mode_t mode);

/* Removes the file, unless another has taken its place. */
void socket_file_remove(const struct socket_file *file);

#endif
