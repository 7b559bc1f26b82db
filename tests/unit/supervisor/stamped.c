#include "supervisor/log/stamped.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

static void say(int fd, const char *line)
{
	stamped_line(fd, LOG_INFO, line, strlen(line));
}

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;
	for (; (text = strstr(text, part)); text++)
		n++;
	return n;
}

/* What waits in a pipe, as a string. */
static char *read_all(int fd)
{
	static char text[65536];
	int n = 0;
	cr_assert(ioctl(fd, FIONREAD, &n) == 0 && n < (int)sizeof text);
	cr_assert_eq(n ? read(fd, text, (size_t)n) : 0, n);
	text[n] = 0;
	return text;
}

Test(stamped, a_line_goes_at_once_with_time_and_level)
{
	int ends[2];
	cr_assert_eq(pipe(ends), 0);
	say(ends[1], "one");
	char *text = read_all(ends[0]);
	cr_expect_eq(strlen(text), strlen("2026-01-01T00:00:00.000Z info one\n"));
	cr_expect(strstr(text, "Z info one\n"), "%s", text);
}

Test(stamped, what_is_gathered_goes_together_and_in_order)
{
	int ends[2];
	cr_assert_eq(pipe(ends), 0);
	stamped_gather();
	say(ends[1], "one");
	say(ends[1], "two");
	cr_expect_str_empty(read_all(ends[0]));
	stamped_flush();
	char *text = read_all(ends[0]);
	cr_expect_lt(strstr(text, "one\n"), strstr(text, "two\n"));
	cr_expect_eq(count(text, "\n"), 2);
	say(ends[1], "three");
	cr_expect_eq(count(read_all(ends[0]), "\n"), 1, "nothing is gathered any more");
}

Test(stamped, more_than_a_pipe_takes_at_once_is_written_in_pieces)
{
	int ends[2];
	char line[16];
	cr_assert_eq(pipe(ends), 0);
	stamped_gather();
	for (int i = 0; i < 400; i++) {
		snprintf(line, sizeof line, "line %d", i);
		say(ends[1], line);
	}
	stamped_flush();
	char *text = read_all(ends[0]);
	cr_expect_eq(count(text, "\n"), 400);
	cr_expect_eq(count(text, " info line "), 400);
}

Test(stamped, lines_for_two_targets_go_each_to_its_own)
{
	int a[2], b[2];
	cr_assert(pipe(a) == 0 && pipe(b) == 0);
	stamped_gather();
	say(a[1], "for a");
	say(b[1], "for b");
	stamped_flush();
	cr_expect(strstr(read_all(a[0]), "for a\n"));
	cr_expect(strstr(read_all(b[0]), "for b\n"));
}

/* In a process of its own, whose standard error and file size are its own. */
static void expect_success(void (*run)(void))
{
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0)
		run();
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "status %d", status);
}

static void fill_standard_error(void)
{
	int ends[2];
	if (pipe(ends) < 0 || fcntl(ends[1], F_SETPIPE_SZ, 4096) != 4096 || dup2(ends[1], 2) != 2)
		_exit(1);
	stamped_gather();
	for (int i = 0; i < 100; i++)
		stamped_line(2, LOG_INFO, "it is full before the last one of these lines", 45);
	stamped_flush();
	char text[8192];
	ssize_t n = read(ends[0], text, sizeof text - 1);
	text[n < 0 ? 0 : n] = 0;
	unsigned n_before = count(text, "\n");
	stamped_line(2, LOG_INFO, "there is room", 13);
	n = read(ends[0], text, sizeof text - 1);
	text[n < 0 ? 0 : n] = 0;
	char expected[80];
	snprintf(expected, sizeof expected, " %u log lines were lost before this one\n", 100 - n_before);
	_exit(n_before > 0 && n_before < 100 && strstr(text, expected) && strstr(text, "there is room\n") ?
			0 : 2);
}

Test(stamped, a_full_pipe_costs_lines_and_no_time)
{
	expect_success(fill_standard_error);
}

static void fill_file(void)
{
	char path[] = "/tmp/stamped.XXXXXX", text[4096];
	int fd = mkstemp(path);
	signal(SIGXFSZ, SIG_IGN);
	if (fd < 0 || unlink(path) < 0)
		_exit(1);
	/* The first line and a half. */
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ .rlim_cur = 50, .rlim_max = RLIM_INFINITY });
	stamped_gather();
	say(fd, "one");
	say(fd, "two");
	say(fd, "three");
	stamped_flush();
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ .rlim_cur = 4096, .rlim_max = RLIM_INFINITY });
	say(fd, "four");
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	text[n < 0 ? 0 : n] = 0;
	bool is_right = strstr(text, " info one\n") && !strstr(text, "two") && !strstr(text, "three") &&
			strstr(text, " 2 log lines were lost before this one\n") &&
			strstr(text, " info four\n") && count(text, "\n") == 4;
	if (!is_right)
		fputs(text, stderr);
	_exit(is_right ? 0 : 2);
}

Test(stamped, a_line_that_a_full_disk_has_cut_spoils_no_other)
{
	expect_success(fill_file);
}
