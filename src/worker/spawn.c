#include "worker/spawn.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Written by the child in the memory that vfork(2) shares. Where vfork is a fork (valgrind, some
 * emulators) nothing arrives here, and a failed exec is seen as exit status 127.
 */
static volatile int child_error;

/* Kept apart: its variables must not share the frame that vfork(2) lends to the child. */
__attribute__((noinline)) static int become(const struct spawn_plan *plan, int connection)
{
	sigset_t none;
	if (setsid() < 0 || dup2(connection, STDIN_FILENO) < 0 ||
		dup2(connection, STDOUT_FILENO) < 0)
		return -1;
	int err = plan->stderr_fd == SPAWN_STDERR_CONNECTION ? connection : plan->stderr_fd;
	if (err >= 0 && dup2(err, STDERR_FILENO) < 0)
		return -1;
	if (plan->has_nofile && setrlimit(RLIMIT_NOFILE, &plan->nofile) < 0)
		return -1;
	if (plan->has_limits && limits_set(plan->limits) != LIMIT_KINDS)
		return -1;
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Should we be killed meanwhile, the child goes on, and this decides whether it may. */
static int begin(struct slot_claim *claim)
{
	if (slot_begin(claim, getpid()))
		return 0;
	errno = ECANCELED;
	return -1;
}

int spawn_command(const struct spawn_plan *plan, char *const environment[], int connection,
	struct slot_claim *claim, pid_t *ret_pid)
{
	child_error = 0;
	pid_t pid = vfork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (become(plan, connection) == 0 && begin(claim) == 0)
			execve(plan->path, plan->argv, environment);
		child_error = errno;
		_exit(127);
	}
	if (child_error) {
		/* It has exited, or is about to: this does not wait. */
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return -child_error;
	}
	*ret_pid = pid;
	return 0;
}

bool spawn_error_is_passing(int error)
{
	switch (-error) {
	case EAGAIN:
	case ENOMEM:
	case E2BIG:
	case ETXTBSY:
	case ENFILE:
	case EMFILE:
		return true;
	default:
		return false;
	}
}
