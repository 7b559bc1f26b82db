#include "supervisor/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

static const char *written_path;

int pid_file_write(const char *path)
{
	char text[24];
	if (!path)
		return 0;
	int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	unlink(path);
	fd_auto int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0 && write(fd, text, (size_t)n) == n) {
		written_path = path;
		return 0;
	}
	int r = -errno;
	log_error("cannot write the pid file %s: %s; make its directory, or give another --pid-file",
		path, strerror(-r));
	return r ? r : -EIO;
}

void pid_file_remove(void)
{
	if (written_path)
		unlink(written_path);
	written_path = NULL;
}

void pid_file_keep(const char *path)
{
	written_path = path;
}
