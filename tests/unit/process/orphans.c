#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/orphans.h"

struct found {
	int n;
	int n_named;
	pid_t last;
};

static void note(void *context, pid_t pid, const char *service)
{
	struct found *found = context;
	found->n++;
	if (service && !strcmp(service, "rsync")) {
		found->n_named++;
		found->last = pid;
	}
}

/* A shell that leaves `n` sleeping descendants behind and ends; they become ours. */
static void leave_behind(const char *script)
{
	char *argv[] = { "sh", "-c", (char *)script, NULL };
	char *environment[] = { "PATH=/usr/bin:/bin", "FDSUP_SERVICE=rsync", NULL };
	pid_t pid = fork();
	if (pid == 0) {
		execve("/bin/sh", argv, environment);
		_exit(127);
	}
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static void end_all(void)
{
	struct found found;
	do {
		found = (struct found){ 0 };
		orphans_walk(note, &found);
		if (found.n_named)
			kill(found.last, SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	} while (found.n_named);
}

Test(orphans, are_found_with_the_service_they_belong_to, .timeout = 30)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	leave_behind("sleep 1000 >/dev/null 2>&1 & setsid sleep 1000 >/dev/null 2>&1 &");
	struct found found;
	do { /* setsid becomes the second sleep in a moment */
		found = (struct found){ 0 };
		cr_assert_eq(orphans_walk(note, &found), 0);
	} while (found.n_named < 2);
	cr_expect_eq(found.n, 2);
	end_all();
}

Test(orphans, the_dead_are_left_out, .timeout = 30)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	siginfo_t info;
	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	struct found found = { 0 };
	cr_expect_eq(orphans_walk(note, &found), 0);
	cr_expect_eq(found.n, 0);
	waitpid(pid, NULL, 0);
}
