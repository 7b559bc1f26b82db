/*
 * A worker of several processes, each serving one connection at a time with plain blocking calls:
 * the form that many servers of old have. The children share the queue, an idle one takes the next
 * connection, and nobody chooses.
 *
 *   worker-prefork N            under fdsup, with N children (worker-prefork.conf)
 *
 * Each child sends back, line by line, what it receives, in capitals.
 *
 *     cc -o worker-prefork worker-prefork.c $(pkg-config --cflags --libs fdsup)
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fdsup/worker.h>

enum { CHILDREN_MAX = 256, CLIENT_TIMEOUT_S = 60 };

static volatile sig_atomic_t is_stopping;

/* ---- a child --------------------------------------------------------------------------------- */

static struct fdsup_result serve(int fd)
{
	struct fdsup_result result = { 0 };
	struct timeval patience = { .tv_sec = CLIENT_TIMEOUT_S };
	char bytes[4096];
	ssize_t n;
	/* A client that neither sends nor reads must not keep the child for ever. */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0) {
		result.bytes_in += (uint64_t)n;
		for (ssize_t i = 0; i < n; i++)
			bytes[i] = (char)toupper((unsigned char)bytes[i]);
		ssize_t sent = send(fd, bytes, (size_t)n, MSG_NOSIGNAL);
		if (sent > 0)
			result.bytes_out += (uint64_t)sent;
		if (sent != n)
			break;
	}
	return result;
}

static int run_child(void)
{
	struct fdsup_channel *channel;
	struct fdsup_connection connection;
	/* Each process opens its own channel, on the queue that all have inherited. */
	int r = fdsup_open(&channel);
	if (r == 0)
		r = fdsup_stop_on(channel, SIGTERM);
	if (r < 0) {
		fprintf(stderr, "descriptor 3: %s: start it with fdsup, type = \"worker\"\n",
			strerror(-r));
		return 1;
	}
	for (;;) {
		int fd = fdsup_wait(channel, &connection, -1);
		if (fd == -EPIPE)
			break;
		if (fd < 0) {
			if (fd != -EINTR)
				sleep(1); /* out of memory or descriptors: it passes */
			continue;
		}
		fdsup_taken(channel, &connection);
		struct fdsup_result result = serve(fd);
		close(fd);
		fdsup_finished(channel, &connection, &result);
	}
	fdsup_close(channel);
	return 0;
}

/* ---- the parent ------------------------------------------------------------------------------ */

static void on_term(int number)
{
	(void)number;
	is_stopping = 1;
}

static pid_t start_child(const sigset_t *unblocked, pid_t parent)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	/* A parent that is killed takes its children with it: fdsup starts them all anew. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	signal(SIGTERM, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, unblocked, NULL);
	_exit(run_child());
}

static void replace_dead(pid_t children[], int n, const sigset_t *unblocked)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		/* A child leaves by itself only when the queue has ended: fdsup is no more. */
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			is_stopping = 1;
		for (int i = 0; i < n; i++)
			if (children[i] == pid)
				children[i] = 0;
	}
	if (is_stopping)
		return;
	for (int i = 0; i < n; i++) {
		if (children[i] > 0)
			continue;
		children[i] = start_child(unblocked, getpid());
		if (children[i] < 0)
			perror("fork");
	}
}

static void on_child(int number)
{
	(void)number;
}

int main(int argc, char *argv[])
{
	pid_t children[CHILDREN_MAX] = { 0 };
	int n = argc > 1 ? atoi(argv[1]) : 4;
	sigset_t blocked, unblocked;
	if (n < 1 || n > CHILDREN_MAX) {
		fprintf(stderr, "usage: %s [N]: 1 to %d children\n", argv[0], CHILDREN_MAX);
		return 64;
	}
	/* Signals arrive in sigsuspend(2) only: none falls between looking and waiting. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &unblocked);
	signal(SIGTERM, on_term);
	signal(SIGCHLD, on_child);
	replace_dead(children, n, &unblocked);
	fdsup_notify("READY=1\nSTATUS=%d children", n);
	while (!is_stopping) {
		sigsuspend(&unblocked);
		/* A child that dies at once is replaced once a second. */
		if (!is_stopping) {
			sleep(1);
			replace_dead(children, n, &unblocked);
		}
	}
	for (int i = 0; i < n; i++)
		if (children[i] > 0)
			kill(children[i], SIGTERM);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return 0;
}
