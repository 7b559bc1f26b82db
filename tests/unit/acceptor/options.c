/* The promises of the command line. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <fcntl.h>
#include <getopt.h>
#include <sysexits.h>
#include <unistd.h>

#include "acceptor/options.h"

static struct options options;

#define parse(...) parse_line((char *[]){ "fdsup-acceptor", __VA_ARGS__, NULL })

static int parse_line(char *argv[])
{
	int argc = 0;
	while (argv[argc])
		argc++;
	optind = 0;
	return options_parse(&options, argc, argv);
}

TestSuite(options, .init = cr_redirect_stderr);

Test(options, takes_the_classic_command_line)
{
	cr_assert_eq(parse("127.0.0.1", "80", "@worker"), -1);
	cr_expect_str_eq(options.address, "127.0.0.1");
	cr_expect_str_eq(options.port, "80");
	cr_expect_str_eq(options.worker_socket, "@worker");
	cr_expect_eq(options.control_fd, -1);
	cr_expect_eq(options.backlog, 4096);
}

Test(options, takes_an_address_that_looks_like_an_option)
{
	cr_assert_eq(parse("-", "80", "/run/worker"), -1);
	cr_expect_str_eq(options.address, "-");
}

Test(options, makes_inherited_descriptors_close_on_exec)
{
	int fds[2];
	char control[16], scoreboard[16];
	cr_assert_eq(pipe(fds), 0);
	snprintf(control, sizeof control, "%d", fds[0]);
	snprintf(scoreboard, sizeof scoreboard, "%d", fds[1]);
	cr_assert_eq(parse("--control", control, "--scoreboard", scoreboard), -1);
	cr_expect_eq(options.control_fd, fds[0]);
	cr_expect(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	cr_expect(fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
}

Test(options, refuses_what_it_does_not_understand)
{
	cr_expect_eq(parse("127.0.0.1", "80"), EX_USAGE);
	cr_expect_eq(parse("127.0.0.1", "80", "s", "more"), EX_USAGE);
	cr_expect_eq(parse("--backlog=0", "127.0.0.1", "80", "s"), EX_USAGE);
	cr_expect_eq(parse("--backlog=many", "127.0.0.1", "80", "s"), EX_USAGE);
	cr_expect_eq(parse("--nonsense"), EX_USAGE);
	cr_expect_eq(parse("--control", "0"), EX_USAGE);
	cr_expect_eq(parse("--control", "999", "--scoreboard", "0"), EX_USAGE);
	cr_expect_eq(parse("--control", "0", "--scoreboard", "0", "more"), EX_USAGE);
}
