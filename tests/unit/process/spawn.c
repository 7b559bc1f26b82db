#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/spawn.h"

/* Runs a shell script through spawn with standard output in a pipe; returns what it wrote. */
static char *run(struct spawn_request *request, const char *script, int *ret_status)
{
	static char text[4096];
	static char *environment[] = { "PATH=/usr/bin:/bin", NULL };
	char *argv[] = { "sh", "-c", (char *)script, NULL };
	int ends[2];
	const char *step;
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	request->path = "/bin/sh";
	request->argv = argv;
	if (!request->envp)
		request->envp = environment;
	request->descriptors[request->n_descriptors++] = (struct spawn_descriptor){ null_fd, 0 };
	request->descriptors[request->n_descriptors++] = (struct spawn_descriptor){ ends[1], 1 };
	request->descriptors[request->n_descriptors++] = (struct spawn_descriptor){ null_fd, 2 };
	pid_t pid = spawn(request, &step);
	cr_assert_gt(pid, 0, "%s: %s", step, strerror(-pid));
	close(ends[1]);
	close(null_fd);
	size_t used = 0;
	ssize_t n;
	while (used < sizeof text - 1 && (n = read(ends[0], text + used, sizeof text - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = 0;
	close(ends[0]);
	cr_assert_eq(waitpid(pid, ret_status, 0), pid);
	return text;
}

Test(spawn, passes_on_no_descriptor_of_ours, .timeout = 30)
{
	int status;
	int leaked = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	cr_assert_geq(leaked, 0);
	struct spawn_request request = { .umask = 022 };
	char script[64];
	snprintf(script, sizeof script, "[ -e /proc/$$/fd/%d ] || echo closed", leaked);
	/* (Criterion itself has descriptors that it passes on: they are not ours to count.) */
	cr_expect_str_eq(run(&request, script, &status), "closed\n");
	close(leaked);
}

Test(spawn, places_descriptors_that_are_in_each_others_way, .timeout = 30)
{
	int status;
	int a = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int b = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct spawn_request request = {
		.umask = 022,
		.descriptors = { { a, b }, { b, a } },
		.n_descriptors = 2,
	};
	char script[128];
	snprintf(script, sizeof script, "readlink /proc/$$/fd/%d /proc/$$/fd/%d", a, b);
	cr_expect_str_eq(run(&request, script, &status), "/dev/zero\n/dev/null\n");
	close(a);
	close(b);
}

Test(spawn, leads_a_session_in_its_directory_with_its_umask, .timeout = 30)
{
	int status;
	struct spawn_request request = { .umask = 027, .directory = "/usr", .nofile = 64, .nice = 3 };
	cr_expect_str_eq(run(&request,
				 "pwd; umask; ulimit -n; nice; [ $(ps -o sid= -p $$) = $$ ] && echo leader",
				 &status),
		"/usr\n0027\n64\n3\nleader\n");
}

Test(spawn, leaves_no_signal_ignored_or_blocked, .timeout = 30)
{
	int status;
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	signal(SIGPIPE, SIG_IGN);
	struct spawn_request request = { .umask = 022 };
	const char *text = run(&request, "grep -E '^Sig(Blk|Ign)' /proc/$$/status | tr -d '\\t\\n'", &status);
	sigprocmask(SIG_SETMASK, &before, NULL);
	cr_expect_str_eq(text, "SigBlk:0000000000000000SigIgn:0000000000000000");
}

Test(spawn, tells_the_step_that_failed_and_leaves_no_process, .timeout = 30)
{
	char *argv[] = { "x", NULL }, *environment[] = { NULL };
	const char *step;
	struct spawn_request request = { .path = "/absent", .argv = argv, .envp = environment };
	cr_expect_eq(spawn(&request, &step), -ENOENT);
	cr_expect_str_eq(step, "exec");
	request.path = "/bin/true";
	request.directory = "/absent";
	cr_expect_eq(spawn(&request, &step), -ENOENT);
	cr_expect_str_eq(step, "chdir");
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_expect_eq(errno, ECHILD);
}

/* As for a fdsup that has closed what it had at first. */
Test(spawn, tells_it_though_it_places_descriptors_where_ours_would_be, .timeout = 30)
{
	char *argv[] = { "x", NULL }, *environment[] = { NULL };
	const char *step;
	int lowest = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct spawn_request request = { .path = "/absent", .argv = argv, .envp = environment };
	for (int i = 1; i <= 4; i++)
		request.descriptors[request.n_descriptors++] =
			(struct spawn_descriptor){ lowest, lowest + i };
	cr_assert_lt(lowest, 28, "Criterion has more descriptors than this test takes for granted");
	cr_expect_eq(spawn(&request, &step), -ENOENT);
	cr_expect_str_eq(step, "exec");
	close(lowest);
}

Test(spawn, becomes_exactly_the_account, .timeout = 30)
{
	if (geteuid() != 0)
		cr_skip("needs root");
	int status;
	gid_t groups[] = { 12345, 54321 };
	struct account account = { .uid = 65534, .gid = 12345, .groups = groups, .n_groups = 2 };
	struct spawn_request request = { .umask = 022, .account = &account };
	cr_expect_str_eq(run(&request, "id -u; id -g; id -G; grep ^CapEff /proc/$$/status", &status),
		"65534\n12345\n12345 54321\nCapEff:\t0000000000000000\n");
}

Test(spawn, writes_the_pid_where_the_program_looks_for_it, .timeout = 30)
{
	int status;
	char variable[] = "LISTEN_PID=          ";
	char *environment[] = { variable, "PATH=/usr/bin:/bin", NULL };
	struct spawn_request request = {
		.umask = 022,
		.envp = environment,
		.pid_text = variable + strlen("LISTEN_PID="),
	};
	cr_expect_str_eq(run(&request, "[ \"$LISTEN_PID\" = $$ ] && echo same", &status), "same\n");
}
