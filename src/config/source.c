#include "config/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

bool source_is_safe(const struct stat *status, const char *path, const char *file, unsigned line,
	const char *key, struct problems *problems)
{
	if (status->st_uid != 0 && status->st_uid != geteuid()) {
		problem_add(problems, file, line, key,
			"%s belongs to user %u, who could change what fdsup runs; chown it to root "
			"or "
			"to the user who runs fdsup",
			path, (unsigned)status->st_uid);
		return false;
	}
	if (status->st_mode & (S_IWGRP | S_IWOTH)) {
		bool by_all = status->st_mode & S_IWOTH;
		problem_add(problems, file, line, key,
			"%s is writable by %s, who could change what fdsup runs; chmod go-w %s",
			path, by_all ? "everybody" : "its group", path);
		return false;
	}
	return true;
}

static const char *file_noun(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a folder";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

static const char *open_remedy(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return "write the file, or name another one";
	case EACCES:
	case EPERM:
		return "make it readable for the user who runs fdsup";
	case ELOOP:
		return "mend the symbolic link";
	case ENXIO:
		return "name a regular file";
	default:
		return "see to it that it can be read";
	}
}

int source_open(int folder, const char *name, const char *path, struct problems *problems,
	struct file_identity *ret_identity)
{
	struct stat status;
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	fd_auto int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &status) < 0) {
		int error = errno;
		problem_add(problems, path, 0, NULL, "cannot be read: %s; %s", strerror(error),
			open_remedy(error));
		return -1;
	}
	if (!S_ISREG(status.st_mode)) {
		problem_add(problems, path, 0, NULL, "this is %s; name a regular file%s",
			file_noun(status.st_mode),
			S_ISDIR(status.st_mode)
				? ", and include the folder by the key \"include\" there"
				: "");
		return -1;
	}
	if (!source_is_safe(&status, path, path, 0, NULL, problems))
		return -1;
	ret_identity->device = status.st_dev;
	ret_identity->inode = status.st_ino;
	return fd_take(&fd);
}

/* Reads up to the size of the buffer; a file may grow, or not tell its size (/proc). */
static ssize_t read_up_to(int fd, char *buffer, size_t size)
{
	size_t length = 0;
	while (length < size) {
		ssize_t n = read(fd, buffer + length, size - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	return (ssize_t)length;
}

char *source_read(int fd, const char *path, struct problems *problems, size_t *ret_length)
{
	char *text = malloc(SOURCE_SIZE_MAX + 2);
	if (!text) {
		problems->is_out_of_memory = true;
		return NULL;
	}
	ssize_t length = read_up_to(fd, text, SOURCE_SIZE_MAX + 1);
	if (length < 0)
		problem_add(problems, path, 0, NULL, "cannot be read: %s; %s",
			strerror((int)-length), open_remedy((int)-length));
	if (length > SOURCE_SIZE_MAX)
		problem_add(problems, path, 0, NULL,
			"is larger than %d KiB; split it into the files of an included folder",
			SOURCE_SIZE_MAX / 1024);
	if (length < 0 || length > SOURCE_SIZE_MAX) {
		free(text);
		return NULL;
	}
	text[length] = 0;
	*ret_length = (size_t)length;
	return text;
}
