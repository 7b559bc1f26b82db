#include "library/socket_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

enum { BACKLOG = 128 };

static int set_name(struct socket_file *file, const char *name)
{
	size_t length = strlen(name);
	size_t is_path = name[0] != '@';
	if (length <= (is_path ? 0 : 1))
		return -EINVAL;
	if (length + is_path > sizeof file->name.sun_path)
		return -ENAMETOOLONG;
	*file = (struct socket_file){ .name.sun_family = AF_UNIX };
	memcpy(file->name.sun_path, name, length);
	if (!is_path)
		file->name.sun_path[0] = 0;
	file->name_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + is_path);
	return 0;
}

static const struct sockaddr *address_of(const struct socket_file *file)
{
	return (const struct sockaddr *)&file->name;
}

/* The bits are right from the start: nobody can connect in between. */
static int bind_with_mode(int fd, const struct socket_file *file, mode_t mode)
{
	mode_t before = umask(0777 & ~mode);
	int r = bind(fd, address_of(file), file->name_size) < 0 ? -errno : 0;
	umask(before);
	return r;
}

/* Only a refusal says that nobody listens: a full backlog or missing rights do not. */
static int probe(const struct socket_file *file)
{
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, address_of(file), file->name_size) < 0 && errno == ECONNREFUSED)
		return 0;
	return -EADDRINUSE;
}

static int remove_stale(const struct socket_file *file)
{
	const char *path = file->name.sun_path;
	struct stat before;
	struct stat now;
	if (lstat(path, &before) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(before.st_mode))
		return -EEXIST;
	int r = probe(file);
	if (r < 0)
		return r;
	bool is_same = lstat(path, &now) == 0 && now.st_ino == before.st_ino &&
		       now.st_dev == before.st_dev;
	return is_same && unlink(path) < 0 ? -errno : 0;
}

static int bind_or_replace(int fd, const struct socket_file *file, mode_t mode)
{
	int r = bind_with_mode(fd, file, mode);
	if (r != -EADDRINUSE || file->name.sun_path[0] == 0)
		return r;
	r = remove_stale(file);
	return r < 0 ? r : bind_with_mode(fd, file, mode);
}

int socket_file_listen(struct socket_file *file, const char *name, mode_t mode)
{
	struct stat made;
	int r = set_name(file, name);
	if (r < 0)
		return r;
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = bind_or_replace(fd, file, mode);
	if (r < 0)
		return r;
	if (file->name.sun_path[0] != 0 && lstat(file->name.sun_path, &made) == 0) {
		file->device = made.st_dev;
		file->inode = made.st_ino;
	}
	if (listen(fd, BACKLOG) < 0) {
		r = -errno;
		socket_file_remove(file);
		return r;
	}
	return fd_take(&fd);
}

void socket_file_remove(const struct socket_file *file)
{
	struct stat now;
	if (file->inode && lstat(file->name.sun_path, &now) == 0 && now.st_ino == file->inode &&
		now.st_dev == file->device)
		unlink(file->name.sun_path);
}
