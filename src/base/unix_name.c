#include "base/unix_name.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

int unix_name_parse(const char *text, struct unix_name *ret_name)
{
	size_t length = strlen(text);
	bool is_abstract = unix_name_is_abstract(text);
	if (length <= (is_abstract ? 1 : 0))
		return -EINVAL;
	if (length > UNIX_NAME_MAX + (is_abstract ? 1 : 0))
		return -ENAMETOOLONG;
	*ret_name = (struct unix_name){ .address.sun_family = AF_UNIX };
	memcpy(ret_name->address.sun_path, text, length);
	if (is_abstract)
		ret_name->address.sun_path[0] = 0;
	ret_name->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length +
				     (is_abstract ? 0 : 1));
	return 0;
}

static const struct sockaddr *address_of(const struct unix_name *name)
{
	return (const struct sockaddr *)&name->address;
}

/* NULL for an abstract name. */
static const char *path_of(const struct unix_name *name)
{
	return name->address.sun_path[0] ? name->address.sun_path : NULL;
}

/* ---- the file -------------------------------------------------------------------------------- */

static bool is_same(const struct unix_file *file, const struct stat *status)
{
	return file->inode && status->st_ino == file->inode && status->st_dev == file->device;
}

bool unix_file_is_there(const struct unix_file *file, const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0 && is_same(file, &status);
}

void unix_file_remove(const struct unix_file *file, const char *path)
{
	if (unix_file_is_there(file, path))
		unlink(path);
}

/* By its descriptor: the path may be another's by now, and chmod(2) would follow a link. */
static int set_mode(int fd, mode_t mode)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return chmod(path, mode) < 0 ? -errno : 0;
}

static int set_owner(int fd, const struct stat *status, const struct unix_access *access)
{
	bool is_others = access->uid != (uid_t)-1 && access->uid != status->st_uid;
	bool is_other_groups = access->gid != (gid_t)-1 && access->gid != status->st_gid;
	if (!is_others && !is_other_groups)
		return 0;
	uid_t uid = is_others ? access->uid : (uid_t)-1;
	gid_t gid = is_other_groups ? access->gid : (gid_t)-1;
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int unix_file_set_access(
	const struct unix_file *file, const char *path, const struct unix_access *access)
{
	struct stat status;
	fd_auto int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	/* With a second link it could be a socket of somebody else's, put here for us to give away.
	 */
	if (!is_same(file, &status) || !S_ISSOCK(status.st_mode) || status.st_nlink != 1)
		return -ESTALE;
	mode_t mode = status.st_mode & 07777;
	/* The new owner gets no right that is meant for the old one, nor the other way round. */
	mode_t common = mode & access->mode;
	int r = mode != common ? set_mode(fd, common) : 0;
	if (r == 0)
		r = set_owner(fd, &status, access);
	if (r == 0 && common != access->mode)
		r = set_mode(fd, access->mode);
	return r;
}

/* ---- binding --------------------------------------------------------------------------------- */

/* The bits are right from the start: nobody can connect in between. */
static int bind_with_mode(const struct unix_name *name, int fd, mode_t mode)
{
	mode_t before = umask(0777 & ~mode);
	int r = bind(fd, address_of(name), name->size) < 0 ? -errno : 0;
	umask(before);
	return r;
}

/* Only a refusal says that nobody listens: a full backlog or missing rights do not. */
static bool is_stale(const struct unix_name *name)
{
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd >= 0 && connect(fd, address_of(name), name->size) < 0 && errno == ECONNREFUSED;
}

static int remove_stale(const struct unix_name *name)
{
	const char *path = path_of(name);
	struct stat status;
	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	if (!is_stale(name))
		return -EADDRINUSE;
	struct unix_file file = { status.st_dev, status.st_ino };
	return unix_file_is_there(&file, path) && unlink(path) < 0 ? -errno : 0;
}

static int bind_or_replace(const struct unix_name *name, int fd, mode_t mode)
{
	int r = bind_with_mode(name, fd, mode);
	if (r != -EADDRINUSE || !path_of(name))
		return r;
	r = remove_stale(name);
	return r < 0 ? r : bind_with_mode(name, fd, mode);
}

/* Whose it is to be is settled while it is ours alone. */
static int make(const struct unix_name *name, int fd, const struct unix_access *access,
	struct unix_file *ret_file)
{
	bool has_owner = access->uid != (uid_t)-1 || access->gid != (gid_t)-1;
	const char *path = path_of(name);
	struct stat status;
	int r = bind_or_replace(name, fd, has_owner ? access->mode & 0700 : access->mode);
	*ret_file = (struct unix_file){ 0 };
	if (r < 0 || !path)
		return r;
	if (lstat(path, &status) < 0)
		return -errno;
	*ret_file = (struct unix_file){ status.st_dev, status.st_ino };
	return has_owner ? unix_file_set_access(ret_file, path, access) : 0;
}

int unix_name_listen(const struct unix_name *name, const struct unix_access *access, int backlog,
	struct unix_file *ret_file)
{
	struct unix_file file = { 0 };
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int r = make(name, fd, access, &file);
	if (r == 0 && listen(fd, backlog) < 0)
		r = -errno;
	if (r < 0) {
		if (file.inode)
			unix_file_remove(&file, path_of(name));
		return r;
	}
	*ret_file = file;
	return fd_take(&fd);
}
