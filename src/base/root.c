#include "base/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* linux/openat2.h, which the C library of fdsup-worker has not. */
enum { RESOLVE_IN_ROOT = 0x10 };

struct open_how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};

/* Where openat2(2) is not allowed: links that lead out of the root are followed out of it. */
static int open_joined(const char *root, const char *path)
{
	char joined[PATH_MAX];
	if (snprintf(joined, sizeof joined, "%s%s", root, path) >= (int)sizeof joined)
		return -ENAMETOOLONG;
	int fd = open(joined, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int root_open(const char *root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	if (!root)
		return open_joined("", path);
	fd_auto int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof how);
	if (fd >= 0)
		return fd;
	return errno == ENOSYS || errno == EPERM ? open_joined(root, path) : -errno;
}
