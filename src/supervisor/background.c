#include "supervisor/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

static int ready_fd = -1;

__attribute__((noreturn)) static void wait_for_child(pid_t child, int fd)
{
	char byte;
	ssize_t n;
	int status;
	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

static const char variable[] = "FDSUP_BACKGROUND";
enum { EXPORTED_FD = 3 };

void background_export(void)
{
	if (ready_fd >= 0 && dup2(ready_fd, EXPORTED_FD) >= 0)
		setenv(variable, "1", 1);
	fcntl(EXPORTED_FD, F_SETFD, 0);
}

bool background_keep(void)
{
	if (!getenv(variable) || fcntl(EXPORTED_FD, F_SETFD, FD_CLOEXEC) < 0)
		return false;
	ready_fd = EXPORTED_FD;
	unsetenv(variable);
	return true;
}

void background_enter(void)
{
	int ends[2];
	if (ready_fd >= 0)
		return;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		fprintf(stderr, "fdsup: cannot go into the background: %s\n", strerror(errno));
		exit(EXIT_FAILURE);
	}
	pid_t child = fork();
	if (child < 0) {
		fprintf(stderr, "fdsup: cannot go into the background: %s\n", strerror(errno));
		exit(EXIT_FAILURE);
	}
	if (child > 0) {
		fd_close(&ends[1]);
		wait_for_child(child, ends[0]);
	}
	fd_close(&ends[0]);
	ready_fd = ends[1];
	setsid();
}

void background_ready(void)
{
	if (ready_fd < 0)
		return;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0) {
		for (int fd = 0; fd <= 2; fd++)
			dup2(null_fd, fd);
		if (null_fd > 2)
			fd_close(&null_fd);
	}
	(void)!write(ready_fd, "", 1);
	fd_close(&ready_fd);
}
