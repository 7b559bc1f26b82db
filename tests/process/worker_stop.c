/* How fdsup-worker ends: stopped, drained, idle, orphaned or killed; and what becomes of commands.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "support/worker_rig.h"

static struct worker_rig rig;
static int client = -1;

static void start_shell(const char *script, const char *option, const char *value)
{
	const char *const words[] = { option, value, "--", "/bin/sh", "sh", "-c", script, NULL };
	rig_start(&rig, true, option ? words : words + 2, 0);
	client = rig_send(&rig, 1);
}

/* Its first line is the process id of the command. */
static pid_t read_pid(void)
{
	pid_t pid = (pid_t)strtol(rig_read_line(client), NULL, 10);
	cr_assert_gt(pid, 0);
	return pid;
}

static void expect_clean_exit(void)
{
	int status = rig_wait(&rig);
	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 0);
}

static void stop(void)
{
	rig_stop(&rig);
	fd_close(&client);
}

TestSuite(worker_stop, .fini = stop, .timeout = 60);

Test(worker_stop, sends_the_stop_signal_and_waits_for_the_command)
{
	start_shell("trap 'echo bye; exit 3' INT; echo $$; while :; do read line; done",
		"--stop-signal", "2");
	read_pid();
	kill(rig.pid, SIGTERM);
	cr_assert_str_eq(rig_read_all(client), "bye\n");
	expect_clean_exit();
	cr_assert_eq(rig_report(&rig).kind, REPORT_STARTED);
	struct report ended = rig_report(&rig);
	cr_assert_eq(ended.kind, REPORT_ENDED);
	cr_assert_eq(WEXITSTATUS(ended.status), 3);
}

Test(worker_stop, reaches_the_whole_process_group)
{
	start_shell("sleep 60 & echo $!; wait", NULL, NULL);
	pid_t grandchild = read_pid();
	kill(rig.pid, SIGINT);
	expect_clean_exit();
	rig_expect_gone(grandchild);
}

Test(worker_stop, kills_what_does_not_stop_in_time)
{
	start_shell("trap '' TERM; echo $$; while :; do sleep 1; done", "--stop-timeout", "200");
	pid_t command = read_pid();
	uint64_t before_ms = clock_now_ms();
	kill(rig.pid, SIGTERM);
	expect_clean_exit();
	cr_assert_geq(clock_now_ms() - before_ms, 200);
	rig_expect_gone(command);
}

Test(worker_stop, kills_at_once_when_told_twice)
{
	start_shell(
		"trap '' TERM; echo $$; while :; do sleep 1; done", "--stop-timeout", "3600000");
	read_pid();
	kill(rig.pid, SIGTERM);
	/* It takes no more once it has seen the first. */
	while (rig_is_readable(rig.worker_end, 0))
		usleep(1000);
	kill(rig.pid, SIGINT);
	expect_clean_exit();
}

Test(worker_stop, wakes_a_suspended_command_to_stop_it)
{
	start_shell("echo $$; while :; do sleep 1; done", "--stop-timeout", "3600000");
	pid_t command = read_pid();
	kill(command, SIGSTOP);
	kill(rig.pid, SIGTERM);
	expect_clean_exit();
}

Test(worker_stop, a_drain_lets_commands_finish_and_takes_no_more)
{
	start_shell("echo $$; read line; echo got $line", NULL, NULL);
	read_pid();
	kill(rig.pid, SIGHUP);
	kill(rig.pid, SIGUSR1); /* seen after it: the report says that both were */
	cr_assert_eq(rig_report(&rig).kind, REPORT_STARTED);
	cr_assert_eq(rig_report(&rig).kind, REPORT_STARTED);
	int waiting = rig_send(&rig, 2);
	cr_assert_eq(write(client, "more\n", 5), 5);
	cr_assert_str_eq(rig_read_all(client), "got more\n");
	expect_clean_exit();
	cr_assert_eq(handoff_queue_depth(rig.worker_end), 1, "left for another worker");
	fd_close(&waiting);
}

Test(worker_stop, ends_when_it_has_been_idle)
{
	start_shell("read line", "--idle-timeout", "100");
	cr_assert_eq(rig_report(&rig).kind, REPORT_STARTED);
	cr_assert_not(rig_is_readable(rig.acceptor_end, 300), "a running command is no idleness");
	uint64_t before_ms = clock_now_ms();
	fd_close(&client);
	expect_clean_exit();
	cr_assert_geq(clock_now_ms() - before_ms, 100);
}

Test(worker_stop, finishes_what_runs_when_nobody_is_left_to_send)
{
	start_shell("echo $$; read line; echo got $line", NULL, NULL);
	read_pid();
	int waiting = rig_send(&rig, 2); /* sent before the end: served as well */
	cr_assert_gt(strtol(rig_read_line(waiting), NULL, 10), 0);
	fd_close(&rig.acceptor_end);
	fd_close(&rig.worker_end);
	cr_assert_eq(write(waiting, "last\n", 5), 5);
	cr_assert_str_eq(rig_read_all(waiting), "got last\n");
	cr_assert_eq(write(client, "more\n", 5), 5);
	cr_assert_str_eq(rig_read_all(client), "got more\n");
	expect_clean_exit();
	fd_close(&waiting);
}

Test(worker_stop, serves_what_was_queued_before_everybody_died)
{
	enum { MANY = 20 };
	int clients[MANY];
	start_shell("echo $$; read line", NULL, NULL);
	read_pid();
	kill(rig.pid, SIGSTOP);
	for (uint64_t i = 0; i < MANY; i++)
		clients[i] = rig_send(&rig, i);
	fd_close(&rig.acceptor_end); /* with unread reports in it */
	fd_close(&rig.worker_end);
	kill(rig.pid, SIGCONT);
	for (size_t i = 0; i < MANY; i++) {
		cr_assert_gt(strtol(rig_read_line(clients[i]), NULL, 10), 0);
		fd_close(&clients[i]);
	}
	fd_close(&client);
	expect_clean_exit();
}

Test(worker_stop, commands_outlive_a_worker_that_was_killed)
{
	start_shell("echo $$; read line; echo got $line", NULL, NULL);
	pid_t command = read_pid();
	kill(rig.pid, SIGKILL);
	rig_wait(&rig);
	cr_assert_eq(write(client, "more\n", 5), 5);
	cr_assert_str_eq(rig_read_all(client), "got more\n");
	rig_expect_gone(command);
}

Test(worker_stop, stops_under_load)
{
	enum { MANY = 200 };
	int clients[MANY];
	start_shell("exit", NULL, NULL);
	cr_assert_eq(rig_report(&rig).kind, REPORT_STARTED);
	kill(rig.pid, SIGSTOP);
	for (uint64_t i = 0; i < MANY; i++)
		clients[i] = rig_send(&rig, i);
	/* The queue is never empty from now on: the signal must be seen all the same. */
	kill(rig.pid, SIGTERM);
	kill(rig.pid, SIGCONT);
	expect_clean_exit();
	cr_assert_geq(handoff_queue_depth(rig.worker_end), MANY - 8);
	for (size_t i = 0; i < MANY; i++)
		fd_close(&clients[i]);
}
