/* When the target of fdsup-redirect does not answer, and how fdsup-redirect ends. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "support/target_rig.h"

static struct target_rig rig;

static void stop(void)
{
	target_stop(&rig);
}

TestSuite(redirect_trouble, .fini = stop, .timeout = 60);

/* The address stays; nobody listens there. */
static void close_listener(void)
{
	fd_close(&rig.listener);
}

static void open_listener_again(void)
{
	int on = 1;
	rig.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(rig.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	cr_assert_eq(bind(rig.listener, (struct sockaddr *)&rig.address, sizeof rig.address), 0);
	cr_assert_eq(listen(rig.listener, 64), 0);
}

static struct report expect_failure(int exit_status)
{
	int client = target_client(&rig);
	target_send(client, "anybody there?");
	target_report(&rig, REPORT_TAKEN);
	struct report ended = target_report(&rig, REPORT_ENDED);
	cr_assert(WIFEXITED(ended.status));
	cr_assert_eq(WEXITSTATUS(ended.status), exit_status);
	cr_assert_eq(target_end(client), 0, "an orderly end");
	fd_close(&client);
	return ended;
}

static void expect_conversation(void)
{
	int client = target_client(&rig);
	target_report(&rig, REPORT_TAKEN);
	int target = target_accept(&rig);
	target_send(target, "hello");
	target_expect(client, "hello");
	fd_close(&target);
	fd_close(&client);
	cr_assert_eq(target_report(&rig, REPORT_ENDED).status, 0);
}

Test(redirect_trouble, a_target_that_is_down_is_said_once_and_found_again)
{
	target_start(&rig, "127.0.0.1", NULL);
	expect_conversation();
	close_listener();
	for (int i = 0; i < 5; i++)
		expect_failure(EX_UNAVAILABLE);
	rig_expect_log(&rig.worker, "<3>cannot connect to 127.0.0.1:");
	rig_expect_log(&rig.worker, "Connection refused (127.0.0.1:");
	open_listener_again();
	expect_conversation();
	rig_expect_log(&rig.worker, "<5>127.0.0.1:");
	rig_expect_log(&rig.worker, "can be connected to again; 5 connections failed");
	cr_assert_eq(rig_count_log(&rig.worker, "cannot connect"), 1);
}

Test(redirect_trouble, a_target_that_does_not_answer_is_given_up_in_time)
{
	static const char *const options[] = { "--connect-timeout", "400", NULL };
	int crowd[2];
	target_listen(&rig, "127.0.0.1");
	cr_assert_eq(listen(rig.listener, 0), 0);
	/* With its backlog full the kernel leaves further ones without an answer. */
	for (int i = 0; i < 2; i++) {
		crowd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)!connect(crowd[i], (struct sockaddr *)&rig.address, sizeof rig.address);
	}
	target_start(&rig, "127.0.0.1", options);
	uint64_t before_ms = clock_now_ms();
	expect_failure(EX_UNAVAILABLE);
	cr_assert_geq(clock_now_ms() - before_ms, 390);
	rig_expect_log(&rig.worker, "no answer in time (connect_timeout)");
	for (int i = 0; i < 2; i++)
		fd_close(&crowd[i]);
}

Test(redirect_trouble, a_name_without_addresses_is_said)
{
	static const char *const options[] = { "--connect-timeout", "1000", NULL };
	target_start_to(&rig, "nonesuch.invalid:80", options, 0);
	expect_failure(EX_NOHOST);
	rig_expect_log(&rig.worker, "<3>cannot connect to nonesuch.invalid:80: ");
}

Test(redirect_trouble, a_name_is_looked_up)
{
	target_start(&rig, "localhost", NULL);
	expect_conversation();
}

/* A hosts file of our own, seen by this test and what it starts. */
static void set_hosts(const char *text)
{
	char path[256];
	const char *directory = rig_directory();
	snprintf(path, sizeof path, "%s/hosts", directory);
	FILE *file = fopen(path, "we");
	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
	bool is_set = unshare(CLONE_NEWNS) == 0 &&
		      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		      mount(path, "/etc/hosts", NULL, MS_BIND, NULL) == 0;
	rig_remove(directory);
	if (!is_set)
		cr_skip_test("only root can have a hosts file of its own");
}

Test(redirect_trouble, all_addresses_of_a_name_are_tried)
{
	set_hosts("127.0.0.21 several.test\n"
		  "127.0.0.22 several.test\n"
		  "127.0.0.23 several.test\n"
		  "::1 several.test\n");
	static const char *const listening[] = { "127.0.0.22", "127.0.0.23", "127.0.0.21" };
	for (int i = 0; i < 3; i++) {
		target_listen(&rig, listening[i]);
		target_start(&rig, "several.test", NULL);
		expect_conversation();
		cr_assert_eq(rig_count_log(&rig.worker, "cannot connect"), 0);
		target_stop(&rig);
	}
}

Test(redirect_trouble, a_name_that_moved_is_looked_up_again_after_a_failure)
{
	set_hosts("127.0.0.31 moving.test\n");
	target_listen(&rig, "127.0.0.32");
	target_start(&rig, "moving.test", NULL);
	expect_failure(EX_UNAVAILABLE);
	FILE *file = fopen("/etc/hosts", "we");
	fputs("127.0.0.32 moving.test\n", file);
	fclose(file);
	usleep(1100000); /* a second look-up within one second would be none */
	expect_conversation();
}

/* ---- idle connections, and too few descriptors ----------------------------------------------- */

Test(redirect_trouble, an_idle_connection_is_ended_and_an_active_one_is_not)
{
	static const char *const options[] = { "--idle-timeout", "400", NULL };
	target_start(&rig, "127.0.0.1", options);
	uint64_t begin_ms = clock_now_ms(); /* it is idle from the moment that it is there */
	int idle = target_client(&rig), idle_target = target_accept(&rig);
	int active = target_client(&rig), active_target = target_accept(&rig);
	target_report(&rig, REPORT_TAKEN);
	target_report(&rig, REPORT_TAKEN);
	while (!rig_is_readable(rig.worker.acceptor_end, 100)) {
		target_send(active_target, "tick");
		target_expect(active, "tick");
		cr_assert_lt(clock_now_ms() - begin_ms, RIG_TIMEOUT_MS);
	}
	cr_assert_geq(clock_now_ms() - begin_ms, 390);
	cr_assert_eq(target_report(&rig, REPORT_ENDED).connection, 1);
	cr_assert_eq(target_end(idle), 0);
	cr_assert_eq(target_end(idle_target), 0);
	target_send(active, "still here");
	target_expect(active_target, "still here");
	fd_close(&idle), fd_close(&idle_target), fd_close(&active), fd_close(&active_target);
}

Test(redirect_trouble, without_free_descriptors_connections_wait)
{
	target_listen(&rig, "127.0.0.1");
	char to[64];
	snprintf(to, sizeof to, "127.0.0.1:%u", ntohs(rig.address.sin_port));
	target_start_to(&rig, to, NULL, 20);
	/* It raises its limit by itself. */
	expect_conversation();
	struct rlimit none = { 8, 20 + RIG_NOFILE_ROOM };
	cr_assert_eq(prlimit(rig.worker.pid, RLIMIT_NOFILE, &none, NULL), 0);
	int client = target_client(&rig);
	rig_expect_log(&rig.worker, "cannot take a connection: ");
	cr_assert_not(rig_is_readable(rig.listener, 200));
	cr_assert_eq(handoff_queue_depth(rig.worker.worker_end), 1, "not taken, so not lost");
	struct rlimit more = { 64, 20 + RIG_NOFILE_ROOM };
	cr_assert_eq(prlimit(rig.worker.pid, RLIMIT_NOFILE, &more, NULL), 0);
	int target = target_accept(&rig);
	target_send(client, "at last");
	target_expect(target, "at last");
	rig_expect_log(&rig.worker, "can be taken again");
	cr_assert_eq(rig_count_log(&rig.worker, "cannot take a connection"), 1);
	fd_close(&client), fd_close(&target);
}

/* Which of them has something to read: they may be served in another order. */
static int wait_for_one(const int clients[], int n)
{
	struct pollfd polled[64];
	for (int i = 0; i < n; i++)
		polled[i] = (struct pollfd){ .fd = clients[i], .events = POLLIN };
	cr_assert_gt(poll(polled, (nfds_t)n, RIG_TIMEOUT_MS), 0, "nobody is served");
	for (int i = 0; i < n; i++)
		if (polled[i].revents)
			return i;
	return 0;
}

Test(redirect_trouble, as_many_as_descriptors_allow_are_served_and_the_others_later)
{
	enum { MANY = 40 };
	int clients[MANY];
	char to[64];
	target_listen(&rig, "127.0.0.1");
	snprintf(to, sizeof to, "127.0.0.1:%u", ntohs(rig.address.sin_port));
	target_start_to(&rig, to, NULL, 20);
	expect_conversation();
	struct rlimit few = { 40, 20 + RIG_NOFILE_ROOM };
	cr_assert_eq(prlimit(rig.worker.pid, RLIMIT_NOFILE, &few, NULL), 0);
	for (int i = 0; i < MANY; i++)
		clients[i] = target_client(&rig);
	for (int i = 0; i < MANY; i++) {
		int target = target_accept(&rig);
		target_send(target, "served");
		fd_close(&target);
		int client = wait_for_one(clients, MANY);
		target_expect(clients[client], "served");
		fd_close(&clients[client]);
	}
}

/* ---- the end --------------------------------------------------------------------------------- */

static void expect_clean_exit(void)
{
	int status = rig_wait(&rig.worker);
	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 0);
}

Test(redirect_trouble, a_stop_ends_the_connections)
{
	target_start(&rig, "127.0.0.1", NULL);
	int client = target_client(&rig), target = target_accept(&rig);
	target_send(client, "x");
	target_expect(target, "x");
	target_report(&rig, REPORT_TAKEN);
	kill(rig.worker.pid, SIGTERM);
	cr_assert_eq(target_end(client), 0);
	cr_assert_eq(target_end(target), 0);
	struct report ended = target_report(&rig, REPORT_ENDED);
	cr_assert(WIFSIGNALED(ended.status));
	cr_assert_eq(WTERMSIG(ended.status), SIGTERM);
	cr_assert_eq(ended.bytes_in, 1);
	expect_clean_exit();
	fd_close(&client), fd_close(&target);
}

Test(redirect_trouble, a_drain_lets_connections_finish_and_takes_no_more)
{
	target_start(&rig, "127.0.0.1", NULL);
	int client = target_client(&rig), target = target_accept(&rig);
	target_report(&rig, REPORT_TAKEN);
	kill(rig.worker.pid, SIGHUP);
	kill(rig.worker.pid, SIGUSR1);
	cr_assert_eq(target_report(&rig, REPORT_TAKEN).connection, 1, "told once more");
	int waiting = target_client(&rig);
	target_send(client, "goes on");
	target_expect(target, "goes on");
	fd_close(&client);
	cr_assert_eq(target_end(target), 0);
	fd_close(&target);
	expect_clean_exit();
	cr_assert_eq(handoff_queue_depth(rig.worker.worker_end), 1, "left for another worker");
	fd_close(&waiting);
}

Test(redirect_trouble, ends_when_it_has_been_idle)
{
	static const char *const options[] = { "--idle-exit", "200", NULL };
	target_start(&rig, "127.0.0.1", options);
	int client = target_client(&rig), target = target_accept(&rig);
	cr_assert_not(rig_is_readable(client, 400), "a connection is no idleness");
	fd_close(&client), fd_close(&target);
	expect_clean_exit();
}

Test(redirect_trouble, finishes_what_there_is_when_nobody_is_left_to_send)
{
	target_start(&rig, "127.0.0.1", NULL);
	int client = target_client(&rig), target = target_accept(&rig);
	target_report(&rig, REPORT_TAKEN);
	fd_close(&rig.worker.acceptor_end);
	fd_close(&rig.worker.worker_end);
	target_send(client, "still");
	target_expect(target, "still");
	fd_close(&client), fd_close(&target);
	expect_clean_exit();
}

Test(redirect_trouble, a_client_that_is_gone_bothers_no_target)
{
	int ends[2];
	target_start(&rig, "127.0.0.1", NULL);
	struct handoff record = rig_connect(ends);
	record.connection = 7;
	target_reset(&ends[0]);
	cr_assert_eq(handoff_send(rig.worker.acceptor_end, &record, ends[1]), 0);
	fd_close(&ends[1]);
	struct report ended = target_report(&rig, REPORT_ENDED);
	cr_assert_eq(ended.connection, 7);
	cr_assert_eq(ended.pid, 0, "nobody served it");
	cr_assert_not(rig_is_readable(rig.listener, 0));
}

Test(redirect_trouble, a_wrong_command_line_is_explained)
{
	static const char *const wrong[][2] = {
		{ "mail", "the port is missing" },
		{ "::1:25", "brackets" },
		{ "mail:0", "1 to 65535" },
		{ "mail:65616", "1 to 65535" },
		{ "mail:nonesuch", "/etc/services" },
		{ "unix:relative", "begins with /" },
		{ ":25", "the host is missing" },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		target_start_to(&rig, wrong[i][0], NULL, 0);
		cr_assert_eq(WEXITSTATUS(rig_wait(&rig.worker)), EX_USAGE);
		rig_expect_log(&rig.worker, wrong[i][1]);
		rig_stop(&rig.worker);
	}
}
