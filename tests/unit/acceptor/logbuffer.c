/* The promises of the log buffer, with a pipe that nobody reads for a while. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acceptor/logbuffer.h"
#include "base/log.h"

static int pipe_fds[2];
static char text[4 * LOGBUFFER_SIZE];

static void setup(void)
{
	cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	cr_assert_eq(fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK), 0);
	logbuffer_open(pipe_fds[1]);
}

static void teardown(void)
{
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

TestSuite(logbuffer, .init = setup, .fini = teardown);

static const char *read_all(void)
{
	size_t length = 0;
	ssize_t n;
	while ((n = read(pipe_fds[0], text + length, sizeof text - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = 0;
	return text;
}

Test(logbuffer, writes_nothing_before_the_turn_of_the_loop)
{
	log_info("one");
	log_error("two");
	cr_expect_str_eq(read_all(), "");
	logbuffer_flush();
	cr_expect_str_eq(read_all(), "<6>one\n<3>two\n");
}

Test(logbuffer, writes_early_when_it_is_half_full)
{
	for (int i = 0; i < 600; i++)
		log_info("%0100d", i);
	cr_expect_neq(read_all()[0], 0);
}

static void fill(int n)
{
	for (int i = 0; i < n; i++)
		log_info("%0100d", i);
	logbuffer_flush();
}

Test(logbuffer, never_waits_and_drops_whole_lines_beyond_its_bound)
{
	fill(5000);
	cr_expect(logbuffer_is_stuck());
	for (int i = 0; i < 10 && logbuffer_is_stuck(); i++) {
		for (char *line = strtok((char *)read_all(), "\n"); line; line = strtok(NULL, "\n"))
			cr_assert(!strncmp(line, "<6>0", 4) || i, "%s", line);
		logbuffer_flush();
	}
	cr_expect_not(logbuffer_is_stuck());
}

Test(logbuffer, says_how_many_lines_are_missing_when_the_pipe_flows_again)
{
	fill(5000);
	size_t n_lines = 0;
	unsigned n_dropped = 0;
	for (int i = 0; i < 10 && !n_dropped; i++) {
		const char *p = read_all();
		const char *dropped = strstr(p, " log lines were dropped");
		for (; (p = strchr(p, '\n')); p++)
			n_lines++;
		if (dropped) {
			while (dropped[-1] != '>')
				dropped--;
			n_dropped = (unsigned)atoi(dropped);
		}
		logbuffer_flush();
	}
	cr_expect_eq(n_lines - 1 + n_dropped, 5000, "%zu lines, %u dropped", n_lines, n_dropped);
}

Test(logbuffer, survives_a_reader_that_is_gone)
{
	signal(SIGPIPE, SIG_IGN);
	close(pipe_fds[0]);
	fill(5000);
	cr_expect_not(logbuffer_is_stuck());
	cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
}
