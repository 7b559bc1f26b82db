#include "worker/inherited.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* A connection must never arrive as one of them. */
static int open_standard(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	fd_close(&fd);
	return 0;
}

static int mark_each(void)
{
	DIR *directory = opendir("/proc/self/fd");
	if (!directory)
		return -errno;
	for (struct dirent *entry; (entry = readdir(directory));) {
		int fd = atoi(entry->d_name);
		if (fd > STDERR_FILENO)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	closedir(directory);
	return 0;
}

static int mark_close_on_exec(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return 0;
#endif
	return mark_each(); /* before Linux 5.11 */
}

static void make_default(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	/* Some cannot be set, and two belong to the C library. */
	for (int n = 1; n <= SIGRTMAX; n++)
		sigaction(n, &action, NULL);
}

int inherited_tidy(void)
{
	int r = open_standard();
	if (r == 0)
		r = mark_close_on_exec();
	make_default();
	return r;
}
