#include "base/pid.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

Test(pid, is_gone_when_its_parent_knows_and_not_before)
{
	siginfo_t info;
	cr_expect_not(pid_is_gone(getpid()));
	cr_expect_not(pid_is_gone(1), "a process of another user");
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	cr_assert_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	cr_expect_not(pid_is_gone(child), "a zombie has its id");
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_expect(pid_is_gone(child));
}

Test(pid, what_is_no_id_is_not_gone)
{
	cr_expect_not(pid_is_gone(0));
	cr_expect_not(pid_is_gone(-1));
}
