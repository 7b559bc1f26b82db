#include "support/example.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

const char *example_path(const char *name)
{
	static char paths[2][4096];
	static unsigned turn;
	const char *folder = getenv("FDSUP_BIN");
	char *path = paths[turn++ % 2];
	snprintf(path, sizeof paths[0], "%s/../examples/%s", folder ? folder : ".", name);
	return path;
}

const char *example_script(const char *name)
{
	static char path[4096];
	const char *folder = getenv("FDSUP_SOURCE");
	snprintf(path, sizeof path, "%s/examples/%s", folder ? folder : ".", name);
	return path;
}

static _Noreturn void run(int queue, int output, int errors, const char *const words[])
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	if (output >= 0)
		dup2(output, STDOUT_FILENO);
	if (errors >= 0)
		dup2(errors, STDERR_FILENO);
	if (queue >= 0 && dup2(queue, 3) == 3)
		fcntl(3, F_SETFD, 0);
	fd_close_from(queue >= 0 ? 4 : 3);
	execvp(words[0], (char *const *)words);
	_exit(127);
}

pid_t example_start(int queue, int output, int errors, const char *const words[])
{
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0)
		run(queue, output, errors, words);
	return pid;
}

int example_wait(pid_t pid)
{
	int status;
	fd_auto int process = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd polled = { .fd = process, .events = POLLIN };
	cr_assert_geq(process, 0);
	if (poll(&polled, 1, EXAMPLE_PATIENCE_MS) != 1) {
		kill(pid, SIGKILL);
		cr_assert_fail("process %d did not end", (int)pid);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

const char *example_ask(int client, const char *request, const char *until)
{
	static char answer[4096];
	struct pollfd polled = { .fd = client, .events = POLLIN };
	size_t length = 0;
	cr_assert_eq(
		send(client, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
	do {
		cr_assert_eq(poll(&polled, 1, EXAMPLE_PATIENCE_MS), 1, "no answer to %s", request);
		ssize_t n = recv(client, answer + length, sizeof answer - 1 - length, 0);
		if (n <= 0)
			break;
		length += (size_t)n;
		answer[length] = 0;
	} while (!until || !strstr(answer, until));
	answer[length] = 0;
	return answer;
}
