#include "worker/socket_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

enum { BACKLOG = 128 };

struct address {
	struct sockaddr_un sun;
	socklen_t size;
};

static bool is_abstract(const char *name)
{
	return name[0] == '@';
}

static bool make_address(const char *name, struct address *ret)
{
	size_t length = strlen(name);
	size_t room = sizeof ret->sun.sun_path - (is_abstract(name) ? 0 : 1);
	if (length == 0 || (is_abstract(name) && length == 1)) {
		log_error("the name of the worker socket is empty: give a path, or @name");
		return false;
	}
	if (length > room) {
		log_error("%s: the name of a Unix socket has at most %zu bytes, this one has %zu: "
			  "choose a shorter one",
			name, room, length);
		return false;
	}
	*ret = (struct address){ .sun.sun_family = AF_UNIX };
	memcpy(ret->sun.sun_path, name, length);
	if (is_abstract(name))
		ret->sun.sun_path[0] = 0;
	ret->size =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !is_abstract(name));
	return true;
}

/* The bits are right from the start: nobody can connect in between. */
static int bind_with_mode(int socket, const struct address *address, unsigned mode)
{
	mode_t before = umask((mode_t)(0777 & ~mode));
	int r = bind(socket, (const struct sockaddr *)&address->sun, address->size);
	if (r < 0)
		r = -errno;
	umask(before);
	return r;
}

/* -ECONNREFUSED: nobody listens on this socket file. 0: somebody does. Else it cannot be told. */
static int probe(const struct address *address)
{
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address->sun, address->size) == 0 ||
		errno == EAGAIN || errno == EPROTOTYPE)
		return 0;
	return -errno;
}

/* Whether the name is free now. Says why when it is not. */
static bool remove_stale(const char *name, const struct address *address)
{
	struct stat before;
	struct stat now;
	if (lstat(name, &before) < 0) {
		if (errno != ENOENT)
			log_error("%s: %s", name, strerror(errno));
		return errno == ENOENT;
	}
	if (!S_ISSOCK(before.st_mode)) {
		log_error("%s exists and is no socket: remove it, or choose another name", name);
		return false;
	}
	int r = probe(address);
	if (r == 0) {
		log_error("%s: another program listens there: stop it, or choose another name",
			name);
		return false;
	}
	if (r != -ECONNREFUSED) {
		log_error("%s exists, and whether it is in use cannot be told (%s): if not, remove "
			  "it, else choose another name",
			name, strerror(-r));
		return false;
	}
	bool is_same = lstat(name, &now) == 0 && now.st_ino == before.st_ino &&
		       now.st_dev == before.st_dev;
	if (is_same && unlink(name) < 0) {
		log_error("%s was left behind by a program that is gone, and cannot be removed: %s",
			name, strerror(errno));
		return false;
	}
	return true;
}

static const char *advice_for(int error)
{
	switch (error) {
	case -ENOENT:
		return ": make its directory first";
	case -EACCES:
		return ": choose a directory that this user may write to";
	default:
		return "";
	}
}

static int bind_or_replace(
	int socket, const char *name, const struct address *address, unsigned mode)
{
	int r = bind_with_mode(socket, address, mode);
	if (r == -EADDRINUSE && is_abstract(name)) {
		log_error("%s: another program has this name: stop it, or choose another", name);
		return r;
	}
	if (r == -EADDRINUSE) {
		if (!remove_stale(name, address))
			return r;
		r = bind_with_mode(socket, address, mode);
	}
	if (r < 0)
		log_error("%s: cannot make the worker socket: %s%s", name, strerror(-r),
			advice_for(r));
	return r;
}

int socket_file_listen(struct socket_file *file, const char *name, unsigned mode)
{
	struct address address;
	struct stat made;
	*file = (struct socket_file){ .name = name };
	if (!make_address(name, &address))
		return -1;
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		log_error("cannot make a Unix socket: %s", strerror(errno));
		return -1;
	}
	if (bind_or_replace(fd, name, &address, mode) < 0)
		return -1;
	if (!is_abstract(name) && lstat(name, &made) == 0) {
		file->device = made.st_dev;
		file->inode = made.st_ino;
	}
	if (listen(fd, BACKLOG) < 0) {
		log_error("%s: cannot listen: %s", name, strerror(errno));
		socket_file_remove(file);
		return -1;
	}
	return fd_take(&fd);
}

void socket_file_remove(const struct socket_file *file)
{
	struct stat now;
	if (file->inode && lstat(file->name, &now) == 0 && now.st_ino == file->inode &&
		now.st_dev == file->device)
		unlink(file->name);
}
