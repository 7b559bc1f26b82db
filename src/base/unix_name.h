/*
 * Unix sockets with a name: a path, or "@name" in the abstract namespace.
 *
 * The file of a socket on which nobody answers any more is replaced; a living program's never is,
 * nor anything that is not a socket, and no symbolic link is followed. Who may connect is settled
 * before anybody can. At the end the file is removed if it is still the one that was made.
 */
#ifndef FDSUP_BASE_UNIX_NAME_H
#define FDSUP_BASE_UNIX_NAME_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

/* Bytes of a path, or of what follows the "@": what fits into sun_path besides a NUL. */
enum { UNIX_NAME_MAX = 107 };

struct unix_name {
	struct sockaddr_un address;
	socklen_t size;
};

/* Which file a socket is; inode 0: none. */
struct unix_file {
	dev_t device;
	ino_t inode;
};

/* Whose the file is and who may connect. An abstract name has nothing of the kind. */
struct unix_access {
	uid_t uid; /* (uid_t)-1, (gid_t)-1: as the system makes it */
	gid_t gid;
	mode_t mode;
};

static inline bool unix_name_is_abstract(const char *text)
{
	return text[0] == '@';
}

/* 0, -EINVAL: it is empty, or -ENAMETOOLONG: it is longer than UNIX_NAME_MAX. */
int unix_name_parse(const char *text, struct unix_name *ret_name);

/*
 * Binds and listens: a socket of the type SOCK_STREAM (close-on-exec, non-blocking), or
 * -EEXIST      something that is no socket has the name,
 * -EADDRINUSE  a program has the name, or it cannot be told whether one has,
 * or another -errno.
 */
int unix_name_listen(const struct unix_name *name, const struct unix_access *access, int backlog,
	struct unix_file *ret_file);

/* Whether the path still is this file. */
bool unix_file_is_there(const struct unix_file *file, const char *path);

/* Changes whose it is and who may connect. 0; -ESTALE: the path is another file now; or -errno. */
int unix_file_set_access(
	const struct unix_file *file, const char *path, const struct unix_access *access);

/* Removes the file, unless another has taken its place. */
void unix_file_remove(const struct unix_file *file, const char *path);

#endif
