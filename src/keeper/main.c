/*
 * fdsup-keeper --control FD --listen FD: started by fdsup, and by nobody else.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/keeper.h"

static const char usage[] =
	"usage: fdsup-keeper --control FD --listen FD\n"
	"\n"
	"Holds the sockets of fdsup while it is dead. It is started by fdsup: see fdsup(8).\n";

static int descriptor(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);
	return end != text && !*end && number >= 0 && number < 1 << 20 &&
			       fcntl((int)number, F_SETFD, FD_CLOEXEC) == 0
		       ? (int)number
		       : -1;
}

/* The kernel looks elsewhere when memory runs out: without us nobody could mend it. */
static void be_spared(void)
{
	fd_auto int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, "-1000", 5);
}

int main(int argc, char *argv[])
{
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("fdsup-keeper " FDSUP_VERSION);
		return EX_OK;
	}
	if (argc == 2 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return EX_OK;
	}
	bool is_right = argc == 5 && !strcmp(argv[1], "--control") && !strcmp(argv[3], "--listen");
	int control_fd = is_right ? descriptor(argv[2]) : -1;
	int listen_fd = is_right ? descriptor(argv[4]) : -1;
	if (control_fd < 0 || listen_fd < 0) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	/* Its end is that of its supervisor, or a word of it. */
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
	unsigned long before;
	(void)fd_raise_limit(&before);
	be_spared();
	return keeper_run(control_fd, listen_fd);
}
