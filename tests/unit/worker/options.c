/* The two forms of the command line. */
#include <criterion/criterion.h>
#include <getopt.h>
#include <criterion/redirect.h>
#include <signal.h>

#include "worker/options.h"

static void redirect(void)
{
	cr_redirect_stdout();
	cr_redirect_stderr();
}

TestSuite(options, .init = redirect);

static bool parse(struct options *options, int *ret_status, char *const words[])
{
	int n = 0;
	while (words[n])
		n++;
	optind = 0; /* begin anew */
	return options_parse(options, n, (char **)words, ret_status);
}

Test(options, by_hand_a_socket_and_a_command_are_enough)
{
	struct options options;
	int status;
	char *const words[] = { "fdsup-worker", "/run/s", "cat", "-n", "--help", NULL };
	cr_assert(parse(&options, &status, words));
	cr_assert_str_eq(options.socket_name, "/run/s");
	cr_assert_str_eq(options.command, "cat");
	cr_assert_str_eq(options.command_argv[0], "cat");
	cr_assert_str_eq(options.command_argv[2], "--help", "the command's options are its own");
	cr_assert_eq(options.queue_fd, -1);
	cr_assert_eq(options.stderr_kind, STDERR_CONNECTION);
	cr_assert_eq(options.socket_mode, 0600);
}

Test(options, under_the_supervisor_path_and_name_are_separate)
{
	struct options options;
	int status;
	char *const words[] = { "fdsup-worker", "--queue", "3", "--service", "x", "--idle-timeout",
		"500", "--stop-signal", "2", "--stop-timeout", "7000", "--nofile", "1024", "--limits",
		"core=1:2", "--",
		"/bin/sh", "-sh", "-c", "exit", NULL };
	cr_assert(parse(&options, &status, words));
	cr_assert_eq(options.queue_fd, 3);
	cr_assert_str_eq(options.command, "/bin/sh");
	cr_assert_str_eq(options.command_argv[0], "-sh");
	cr_assert_eq(options.stderr_kind, STDERR_OURS);
	cr_assert_eq(options.idle_timeout_ms, 500);
	cr_assert_eq(options.stop_signal, SIGINT);
	cr_assert_eq(options.stop_timeout_ms, 7000);
	cr_assert_eq(options.nofile, 1024);
	cr_assert(options.limits[LIMIT_CORE].is_given);
	cr_assert_eq(options.limits[LIMIT_CORE].hard, 2);
	cr_assert_not(options.limits[LIMIT_NOFILE].is_given);
}

static void expect_refused(char *const words[])
{
	struct options options;
	int status = -1;
	cr_assert_not(parse(&options, &status, words), "%s was taken", words[1]);
	cr_assert_eq(status, 64);
}

Test(options, refuses_what_makes_no_sense)
{
	expect_refused((char *const[]){ "w", NULL });
	expect_refused((char *const[]){ "w", "/run/s", NULL });
	expect_refused(
		(char *const[]){ "w", "--queue", "3", "--service", "x", "--", "cat", "cat", NULL });
	expect_refused(
		(char *const[]){ "w", "--queue", "3", "--service", "x", "--", "/bin/cat", NULL });
	expect_refused((char *const[]){ "w", "--queue", "3", "--", "/bin/cat", "cat", NULL });
	expect_refused((char *const[]){ "w", "--queue", "1", "/run/s", "cat", NULL });
	expect_refused((char *const[]){ "w", "--stop-signal", "99", "/run/s", "cat", NULL });
	expect_refused((char *const[]){ "w", "--stop-timeout", "10s", "/run/s", "cat", NULL });
	expect_refused((char *const[]){ "w", "--nofile", "-1", "/run/s", "cat", NULL });
	expect_refused((char *const[]){ "w", "--limits", "core=5", "/run/s", "cat", NULL });
	expect_refused((char *const[]){ "w", "--chroot", "srv", "/run/s", "cat", NULL });
	expect_refused((char *const[]){ "w", "--directory", ".", "/run/s", "cat", NULL });
	expect_refused((char *const[]){ "w", "--capabilities", "all", "/run/s", "cat", NULL });
	expect_refused((char *const[]){ "w", "--mode", "rw", "/run/s", "cat", NULL });
	expect_refused((char *const[]){ "w", "--stderr", "socket", "/run/s", "cat", NULL });
	expect_refused((char *const[]){ "w", "--nonesuch", "/run/s", "cat", NULL });
}

Test(options, help_and_version_are_no_errors)
{
	struct options options;
	int status = -1;
	cr_assert_not(parse(&options, &status, (char *const[]){ "w", "--help", NULL }));
	cr_assert_eq(status, 0);
	cr_assert_not(parse(&options, &status, (char *const[]){ "w", "--version", NULL }));
	cr_assert_eq(status, 0);
}
