/* When a command cannot be started, or the machine lacks something: said once, and recovered. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "support/worker_rig.h"

static struct worker_rig rig;
static const char *directory;
static char command[512];

static void write_command(const char *script, mode_t mode)
{
	fd_auto int fd = open(command, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, script, strlen(script)), (ssize_t)strlen(script));
	cr_assert_eq(fchmod(fd, mode), 0);
}

static void start(unsigned long nofile)
{
	/* A limit for the worker is none for its commands: a shell needs a few. */
	const char *const words[] = { "--nofile", "256", "--", command, "command", NULL };
	rig_start(&rig, true, words, nofile);
}

static void prepare(void)
{
	directory = rig_directory();
	snprintf(command, sizeof command, "%s/command", directory);
}

static void clean_up(void)
{
	rig_stop(&rig);
	rig_remove(directory);
}

TestSuite(worker_trouble, .init = prepare, .fini = clean_up, .timeout = 60);

static void expect_exec_failure(uint64_t connection, int error)
{
	int client = rig_send(&rig, connection);
	cr_assert_str_eq(rig_read_all(client), "", "the connection must be closed");
	struct report report = rig_report(&rig);
	cr_assert_eq(report.kind, REPORT_EXEC_FAILED);
	cr_assert_eq(report.connection, connection);
	cr_assert_eq(report.status, error);
	cr_assert_eq(report.pid, 0);
	fd_close(&client);
}

static void expect_served(void)
{
	int client = rig_send(&rig, 1);
	cr_assert_str_eq(rig_read_all(client), "served\n");
	fd_close(&client);
}

Test(worker_trouble, a_missing_command_is_reported_and_said_once)
{
	start(0);
	for (uint64_t i = 1; i <= 5; i++)
		expect_exec_failure(i, ENOENT);
	cr_assert_eq(rig_count_log(&rig, "<3>cannot execute"), 1);
	rig_expect_log(&rig, "No such file");
	write_command("#!/bin/sh\necho served\n", 0755);
	expect_served();
	rig_expect_log(&rig, "can be started again");
	rig_expect_log(&rig, "5 connections");
	cr_assert_eq(unlink(command), 0);
	cr_assert_eq(rig_report(&rig).kind, REPORT_STARTED);
	cr_assert_eq(rig_report(&rig).kind, REPORT_ENDED);
	expect_exec_failure(9, ENOENT);
	cr_assert_eq(rig_count_log(&rig, "<3>cannot execute"), 2, "a new episode");
}

Test(worker_trouble, a_command_that_may_not_be_executed_is_reported)
{
	write_command("#!/bin/sh\n", 0644);
	start(0);
	expect_exec_failure(1, EACCES);
	write_command("#!/nonesuch/interpreter\n", 0755);
	expect_exec_failure(2, ENOENT);
	write_command("no program at all\n", 0755);
	expect_exec_failure(3, ENOEXEC);
}

Test(worker_trouble, failed_starts_leave_nothing_behind)
{
	start(0);
	expect_exec_failure(1, ENOENT);
	size_t n_before = rig_count_descriptors(rig.pid);
	for (uint64_t i = 0; i < 100; i++)
		expect_exec_failure(i, ENOENT);
	cr_assert_eq(rig_count_descriptors(rig.pid), n_before);
	kill(rig.pid, SIGHUP);
	cr_assert_eq(rig_wait(&rig), 0, "nothing runs, so a drain ends at once");
}

Test(worker_trouble, a_passing_failure_keeps_the_connection)
{
	write_command("#!/bin/sh\necho served\n", 0755);
	int writer = open(command, O_WRONLY | O_CLOEXEC);
	start(0);
	int first = rig_send(&rig, 1);
	int second = rig_send(&rig, 2);
	rig_expect_log(&rig, "cannot be started now: Text file busy");
	cr_assert_not(rig_is_readable(first, 300), "neither answered nor closed");
	fd_close(&writer);
	cr_assert_str_eq(rig_read_all(first), "served\n");
	cr_assert_str_eq(rig_read_all(second), "served\n");
	rig_expect_log(&rig, "can be started again");
	cr_assert_eq(rig_count_log(&rig, "cannot be started now"), 1);
	fd_close(&first);
	fd_close(&second);
}

Test(worker_trouble, a_stop_gives_up_what_could_not_be_started)
{
	write_command("#!/bin/sh\necho served\n", 0755);
	int writer = open(command, O_WRONLY | O_CLOEXEC);
	start(0);
	int client = rig_send(&rig, 1);
	rig_expect_log(&rig, "cannot be started now");
	kill(rig.pid, SIGTERM);
	cr_assert_eq(rig_wait(&rig), 0);
	cr_assert_str_eq(rig_read_all(client), "");
	cr_assert_eq(rig_report(&rig).kind, REPORT_EXEC_FAILED);
	fd_close(&writer);
	fd_close(&client);
}

Test(worker_trouble, a_drain_still_serves_what_could_not_be_started)
{
	write_command("#!/bin/sh\necho served\n", 0755);
	int writer = open(command, O_WRONLY | O_CLOEXEC);
	start(0);
	int client = rig_send(&rig, 1);
	rig_expect_log(&rig, "cannot be started now");
	kill(rig.pid, SIGHUP);
	fd_close(&writer);
	cr_assert_str_eq(rig_read_all(client), "served\n");
	cr_assert_eq(rig_wait(&rig), 0);
	fd_close(&client);
}

Test(worker_trouble, without_a_free_descriptor_connections_wait)
{
	write_command("#!/bin/sh\necho served\n", 0755);
	start(5); /* 0 to 2, the queue, the signals: none for a connection */
	int client = rig_send(&rig, 1);
	rig_expect_log(&rig, "cannot take a connection: ");
	cr_assert_not(rig_is_readable(client, 300));
	cr_assert_eq(handoff_queue_depth(rig.worker_end), 1, "not taken, so not lost");
	struct rlimit more = { 64, 5 + RIG_NOFILE_ROOM };
	cr_assert_eq(prlimit(rig.pid, RLIMIT_NOFILE, &more, NULL), 0);
	cr_assert_str_eq(rig_read_all(client), "served\n");
	rig_expect_log(&rig, "can be taken again");
	cr_assert_eq(rig_count_log(&rig, "cannot take a connection"), 1);
	fd_close(&client);
}

Test(worker_trouble, one_free_descriptor_is_enough)
{
	write_command("#!/bin/sh\necho served\n", 0755);
	start(6);
	for (int i = 0; i < 20; i++)
		expect_served();
	cr_assert_eq(rig_count_log(&rig, "cannot take"), 0);
}

Test(worker_trouble, what_is_no_queue_is_refused)
{
	const char *const words[] = { "--queue", "2", "--service", "x", "--", "/bin/cat", "cat",
		NULL };
	const char *const pipe[] = { "--queue", "3", "--service", "x", "--", "/bin/cat", "cat",
		NULL };
	rig_start(&rig, false, words, 0);
	cr_assert_eq(WEXITSTATUS(rig_wait(&rig)), 64);
	rig_stop(&rig);
	rig_start(&rig, false, pipe, 0);
	cr_assert_eq(WEXITSTATUS(rig_wait(&rig)), 1);
	rig_expect_log(&rig, "--queue 3: ");
}
