/*
 * A command that writes what it finds, a line each, to its standard output: descriptors, session,
 * signals, limits, then its arguments and environment. Tests compare it byte for byte.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void print_descriptors(FILE *out)
{
	DIR *directory = opendir("/proc/self/fd");
	if (!directory)
		exit(EXIT_FAILURE);
	/* In their order, and without the directory itself. */
	for (int fd = 0; fd < 4096; fd++)
		if (fd != dirfd(directory) && fcntl(fd, F_GETFD) >= 0)
			fprintf(out, "fd %d %s\n", fd,
				fcntl(fd, F_GETFL) & O_NONBLOCK ? "non-blocking" : "blocking");
	closedir(directory);
}

static void print_same(FILE *out)
{
	struct stat in, output, error;
	if (fstat(0, &in) < 0 || fstat(1, &output) < 0 || fstat(2, &error) < 0)
		return;
	fprintf(out, "output %s\n", in.st_ino == output.st_ino ? "is the input" : "is another");
	fprintf(out, "error %s\n", in.st_ino == error.st_ino ? "is the input" : "is another");
}

static void print_signals(FILE *out)
{
	sigset_t blocked;
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (int n = 1; n <= SIGRTMAX; n++) {
		struct sigaction action;
		if (sigismember(&blocked, n) == 1)
			fprintf(out, "signal %d is blocked\n", n);
		if (sigaction(n, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			fprintf(out, "signal %d is ignored\n", n);
	}
}

int main(int argc, char *argv[])
{
	char *text;
	size_t size;
	struct rlimit nofile;
	FILE *out = open_memstream(&text, &size);
	if (!out || getrlimit(RLIMIT_NOFILE, &nofile) < 0)
		return EXIT_FAILURE;
	print_descriptors(out);
	print_same(out);
	fprintf(out, "session %s\n", getsid(0) == getpid() ? "own" : "foreign");
	print_signals(out);
	fprintf(out, "nofile %llu\n", (unsigned long long)nofile.rlim_cur);
	for (int i = 0; i < argc; i++)
		fprintf(out, "argv %s\n", argv[i]);
	for (char **variable = environ; *variable; variable++)
		fprintf(out, "env %s\n", *variable);
	fclose(out);
	for (size_t done = 0; done < size;) {
		ssize_t n = write(STDOUT_FILENO, text + done, size - done);
		if (n <= 0)
			return EXIT_FAILURE;
		done += (size_t)n;
	}
	free(text);
	return EXIT_SUCCESS;
}
