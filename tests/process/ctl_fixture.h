/*
 * fdsupctl as a user meets it: the program itself, on a pipe or on a terminal of a given width,
 * speaking to admin_answers or to nobody. The programs are in the directory that FDSUP_BIN names.
 */
#ifndef TESTS_PROCESS_CTL_FIXTURE_H
#define TESTS_PROCESS_CTL_FIXTURE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "ctl/display.h"

static char directory[64];
static char socket_path[128];
static pid_t daemon_pid;
static int daemon_stdin = -1;

static inline const char *program(const char *name)
{
	static char path[2][512];
	static unsigned turn;
	const char *bin = getenv("FDSUP_BIN");
	char *text = path[turn++ % 2];
	snprintf(text, sizeof path[0], "%s/%s", bin ? bin : "bin", name);
	return text;
}

static inline void write_file(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	cr_assert(file, "%s", path);
	fputs(text, file);
	fclose(file);
}

static void make_directory(void)
{
	strcpy(directory, "/tmp/fdsup-ctl-XXXXXX");
	cr_assert(mkdtemp(directory));
	snprintf(socket_path, sizeof socket_path, "%s/admin.sock", directory);
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("TERM", "xterm", 1);
	setenv("TZ", "UTC", 1);
	unsetenv("COLUMNS");
	unsetenv("NO_COLOR");
	unsetenv("FDSUP_SOCKET");
}

/* Ends the daemon and takes everything away. */
static void remove_directory(void)
{
	static const char *const names[] = { "admin.sock", "answers.json", "fdsup.pid",
		"listeners" };
	if (daemon_pid) {
		close(daemon_stdin);
		cr_expect(waitpid(daemon_pid, NULL, 0) == daemon_pid);
		daemon_pid = 0;
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[256];
		snprintf(path, sizeof path, "%s/%s", directory, names[i]);
		unlink(path);
	}
	cr_expect(rmdir(directory) == 0, "%s is not empty", directory);
}

/*
 * A daemon that answers what `answers` says; it listens when this returns. Strings of that JSON are
 * written with single quotes, for the eye.
 */
static inline void start_daemon(const char *answers)
{
	int input[2], output[2];
	char answers_path[128], ready[8];
	char *json = strdup(answers);
	for (char *quote = json; (quote = strchr(quote, '\''));)
		*quote = '"';
	write_file("answers.json", json);
	free(json);
	snprintf(answers_path, sizeof answers_path, "%s/answers.json", directory);
	cr_assert(pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0);
	const char *path = program("admin_answers");
	daemon_pid = fork();
	if (daemon_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(input[0], 0);
		dup2(output[1], 1);
		execl(path, path, socket_path, answers_path, NULL);
		_exit(127);
	}
	close(input[0]);
	close(output[1]);
	daemon_stdin = input[1];
	cr_assert(read(output[0], ready, sizeof ready) == 6, "%s did not start", path);
	close(output[0]);
}

struct run {
	int code; /* -1: ended by a signal */
	char out[1 << 17];
	char err[1 << 14];
};

static inline bool read_some(int fd, char *text, size_t size)
{
	size_t used = strlen(text);
	ssize_t n = read(fd, text + used, size - used - 1);
	if (n > 0)
		text[used + (size_t)n] = 0;
	return n > 0;
}

/* A pipe, or a terminal of that width which passes everything on as it is. */
static inline void make_output(unsigned width, int ret_ends[2])
{
	struct winsize size = { .ws_row = 25, .ws_col = (unsigned short)width };
	struct termios raw = { 0 };
	if (width == 0) {
		cr_assert(pipe2(ret_ends, O_CLOEXEC) == 0);
		return;
	}
	cfmakeraw(&raw);
	cr_assert(openpty(&ret_ends[0], &ret_ends[1], NULL, &raw, &size) == 0);
	fcntl(ret_ends[0], F_SETFD, FD_CLOEXEC);
	fcntl(ret_ends[1], F_SETFD, FD_CLOEXEC);
}

/* Runs fdsupctl with the arguments (the last is NULL), its output on a terminal if width is not 0.
 */
static inline struct run *run_on(unsigned width, const char *const arguments[])
{
	static struct run run;
	int out[2], err[2], status;
	const char *argv[32] = { program("fdsupctl") };
	for (size_t i = 0; arguments[i]; i++)
		argv[i + 1] = arguments[i];
	run.out[0] = run.err[0] = 0;
	make_output(width, out);
	cr_assert(pipe2(err, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 1);
		dup2(err[1], 2);
		execv(argv[0], (char **)argv);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	struct pollfd fds[] = { { out[0], POLLIN, 0 }, { err[0], POLLIN, 0 } };
	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		cr_assert(poll(fds, 2, 100000) > 0, "fdsupctl does not end");
		if (fds[0].revents && !read_some(out[0], run.out, sizeof run.out))
			fds[0].fd = -1;
		if (fds[1].revents && !read_some(err[0], run.err, sizeof run.err))
			fds[1].fd = -1;
	}
	close(out[0]);
	close(err[0]);
	cr_assert(waitpid(pid, &status, 0) == pid);
	run.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return &run;
}

#define run_ctl(...) run_on(0, (const char *const[]){ "-s", socket_path, __VA_ARGS__, NULL })
#define run_ctl_wide(width, ...)                                                                   \
	run_on(width, (const char *const[]){ "-s", socket_path, __VA_ARGS__, NULL })

static inline bool begins_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* In place: colours away. */
static inline char *strip_colour(char *text)
{
	char *to = text;
	for (const char *p = text; *p;) {
		if (*p == '\033')
			p += strcspn(p, "m") + 1;
		else
			*to++ = *p++;
	}
	*to = 0;
	return text;
}

/* That no line is wider. */
static inline void expect_fits(char *text, unsigned width)
{
	char *rest;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		cr_expect(display_width(line) <= width, "%u columns instead of %u: %s",
			display_width(line), width, line);
}

/* The whole output as one JSON object of version 1; the caller's. */
static inline json_t *parse_json(const struct run *run)
{
	json_error_t error;
	json_t *object = json_loads(run->out, JSON_REJECT_DUPLICATES, &error);
	cr_assert(object, "%s in %s", error.text, run->out);
	cr_expect_eq(json_integer_value(json_object_get(object, "version")), 1);
	return object;
}

#endif
