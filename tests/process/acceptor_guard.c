/*
 * An acceptor that is killed loses no connection: its guard hands over what it had. It is killed here at
 * each system call that it makes, before and after, and so is its successor.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "support/acceptor_rig.h"

/* A process that the acceptor only hears of. */
enum { DEAD = RIG_NOBODY + 1, COMMAND = RIG_NOBODY + 10 };

static struct rig rig;

static void setup(void)
{
	rig_start(&rig);
}

static void teardown(void)
{
	rig_stop(&rig);
}

TestSuite(acceptor_guard, .init = setup, .fini = teardown, .timeout = 300);

static struct control_service settings_of_ours(void)
{
	struct control_service settings = rig_settings(1);
	settings.has_slots = 1;
	settings.redelivers = 1;
	return settings;
}

static uint16_t serve(void)
{
	struct control_service settings = settings_of_ours();
	return rig_serve(&rig, &settings);
}

static bool claim(const struct handoff *record, int32_t pid, struct slot_claim *ret_claim)
{
	return slots_claim(&rig.services[1].slots, record, pid, ret_claim);
}

/* The next connection that is ours to serve; those that were given out anew meanwhile are passed over. */
static int take_ours(struct handoff *ret_record, struct slot_claim *ret_claim)
{
	for (;;) {
		int connection = rig_take(&rig, 1, ret_record);
		if (claim(ret_record, getpid(), ret_claim))
			return connection;
		close(connection);
	}
}

static void worker_gone(pid_t pid)
{
	rig_send_process(&rig, CONTROL_WORKER_GONE, 1, pid, W_EXITCODE(0, SIGKILL));
	rig_sync(&rig);
}

/* From the hand-off to the end, as a worker does it. */
static void serve_to_the_end(int client, int connection, const struct handoff *record,
	struct slot_claim *claimed)
{
	char text[8] = "";
	cr_expect(slot_begin(claimed, COMMAND));
	cr_expect_eq(recv(connection, text, 7, MSG_WAITALL), 7);
	cr_expect_str_eq(text, "request");
	cr_expect_eq(send(connection, "answer", 6, 0), 6);
	rig_report(&rig, 1, record, REPORT_STARTED, COMMAND, 0);
	rig_report(&rig, 1, record, REPORT_ENDED, COMMAND, 0);
	close(connection);
	cr_expect_eq(recv(client, text, 6, MSG_WAITALL), 6);
	cr_expect_eq(rig_client_end(client), 0, "somebody has a copy");
}

static void expect_served_once(int client)
{
	struct handoff record;
	struct slot_claim claimed;
	int connection = take_ours(&record, &claimed);
	serve_to_the_end(client, connection, &record, &claimed);
	rig_wait_score(&rig, 1, live, 0u);
	while (!rig_queue_is_empty(&rig, 1)) {
		close(rig_take(&rig, 1, &record));
		cr_expect_not(claim(&record, getpid(), &claimed), "it is served twice");
	}
	cr_expect_eq(rig_score(&rig, 1, lost), 0);
}

static int connect_with_request(uint16_t port)
{
	int client = rig_connect(port, NULL);
	cr_assert_eq(send(client, "request", 7, 0), 7);
	return client;
}

/* ---- at rest --------------------------------------------------------------------------------- */

Test(acceptor_guard, what_is_held_for_a_limit_goes_on_being_held)
{
	struct handoff records[2];
	struct slot_claim claimed;
	struct control_service settings = settings_of_ours();
	settings.max_per_source = 1;
	uint16_t port = rig_serve(&rig, &settings);
	int one = connect_with_request(port), two = connect_with_request(port);
	int connection = take_ours(&records[0], &claimed);
	rig_wait_score(&rig, 1, held, 1u);
	rig_replace(&rig);
	cr_expect(strstr(rig_wait_log(&rig, "taken over"), "2 connections live on, 0 were lost"));
	cr_expect_eq(rig_score(&rig, 1, live), 2);
	cr_expect_eq(rig_score(&rig, 1, held), 1);
	cr_expect(rig_queue_is_empty(&rig, 1));
	serve_to_the_end(one, connection, &records[0], &claimed);
	expect_served_once(two);
	cr_expect_eq(rig_score(&rig, 1, accepted), 2);
	cr_expect_eq(rig_score(&rig, 1, served), 2);
	close(one);
	close(two);
}

Test(acceptor_guard, what_waits_for_room_in_the_queue_is_handed_off_in_its_turn)
{
	enum { N = 12 };
	struct control_service settings = settings_of_ours();
	struct handoff record;
	struct slot_claim claimed;
	int clients[N];
	settings.queue_depth = 4;
	uint16_t port = rig_serve(&rig, &settings);
	for (int i = 0; i < N; i++)
		clients[i] = connect_with_request(port);
	while (!(rig_score(&rig, 1, paused) & SCORE_PAUSED_QUEUE))
		usleep(1000);
	rig_replace(&rig);
	for (int i = 0; i < N; i++) {
		int connection = take_ours(&record, &claimed);
		serve_to_the_end(clients[i], connection, &record, &claimed);
		close(clients[i]);
	}
	rig_wait_score(&rig, 1, served, (unsigned)N);
	cr_expect_eq(rig_score(&rig, 1, accepted), N);
	cr_expect_eq(rig_score(&rig, 1, lost), 0);
	cr_expect_eq(rig_score(&rig, 1, live), 0);
}

Test(acceptor_guard, copies_are_kept_for_when_a_worker_dies_after_the_acceptor)
{
	struct handoff first;
	struct slot_claim old;
	int client = connect_with_request(serve());
	/* It lives, and its death is told later. */
	int connection = take_ours(&first, &old);
	rig_replace(&rig);
	close(connection);
	worker_gone(getpid());
	cr_expect_not(slot_begin(&old, COMMAND));
	cr_expect_eq(rig_score(&rig, 1, redelivered), 1);
	expect_served_once(client);
	close(client);
}

Test(acceptor_guard, or_before_it_and_only_that_one_was_told)
{
	struct handoff first;
	struct slot_claim old;
	int client = connect_with_request(serve());
	close(rig_take(&rig, 1, &first));
	cr_expect(claim(&first, DEAD, &old));
	rig_replace(&rig);
	cr_expect_eq(rig_score(&rig, 1, redelivered), 1);
	expect_served_once(client);
	close(client);
}

Test(acceptor_guard, what_was_received_and_not_claimed_goes_to_another)
{
	struct handoff first;
	struct slot_claim old;
	int client = connect_with_request(serve());
	close(rig_take(&rig, 1, &first));
	rig_replace(&rig);
	cr_expect_not(claim(&first, DEAD, &old), "whoever comes late gets it, too");
	expect_served_once(client);
	close(client);
}

/* As if the one that told of its worker's death had died, and the queue held what nobody knows. */
Test(acceptor_guard, what_was_received_by_nobody_knows_whom_comes_again_after_a_while)
{
	struct handoff first;
	int client = connect_with_request(serve());
	close(rig_take(&rig, 1, &first));
	expect_served_once(client);
	cr_expect_eq(rig_score(&rig, 1, redelivered), 1);
	close(client);
}

Test(acceptor_guard, a_command_that_nobody_tells_of_ends_after_a_while)
{
	struct handoff record;
	struct slot_claim claimed;
	int client = connect_with_request(serve());
	rig_wait_score(&rig, 1, waiting, 1u);
	int connection = rig_take(&rig, 1, &record);
	cr_expect(claim(&record, DEAD, &claimed));
	cr_expect(slot_begin(&claimed, DEAD));
	close(connection);
	rig_wait_score(&rig, 1, live, 0u);
	cr_expect_eq(rig_score(&rig, 1, served), 1);
	close(client);
}

Test(acceptor_guard, deaths_count_across_acceptors)
{
	struct handoff record;
	struct slot_claim claimed;
	int client = rig_connect(serve(), NULL);
	for (int i = 0; i < 3; i++) {
		close(rig_take(&rig, 1, &record));
		cr_assert(claim(&record, DEAD + i, &claimed));
		rig_replace(&rig);
	}
	cr_expect(rig_queue_is_empty(&rig, 1));
	cr_expect_eq(rig_score(&rig, 1, redelivered), 2);
	cr_expect_eq(rig_score(&rig, 1, lost), 1);
	rig_wait_log(&rig, "3 workers as they died");
	cr_expect_eq(rig_client_end(client), 0);
	close(client);
}

Test(acceptor_guard, no_copy_outlives_the_moment_in_which_somebody_begins)
{
	struct handoff record;
	struct slot_claim claimed;
	int client = connect_with_request(serve());
	int connection = take_ours(&record, &claimed);
	rig_kill(&rig);
	cr_expect(slot_begin(&claimed, COMMAND));
	close(connection);
	rig_start_again(&rig);
	cr_expect_eq(rig_client_end(client), ECONNRESET); /* it had sent what nobody read */
	rig_report(&rig, 1, &record, REPORT_STARTED, COMMAND, 0);
	rig_report(&rig, 1, &record, REPORT_ENDED, COMMAND, 0);
	rig_wait_score(&rig, 1, served, 1u);
	cr_expect_eq(rig_score(&rig, 1, live), 0);
	close(client);
}

Test(acceptor_guard, what_is_left_waits_while_there_is_no_acceptor)
{
	struct handoff record;
	struct control_service settings = settings_of_ours();
	struct slot_claim claimed;
	settings.max_per_source = 1;
	uint16_t port = rig_serve(&rig, &settings);
	int one = connect_with_request(port), two = connect_with_request(port);
	int connection = take_ours(&record, &claimed);
	rig_wait_score(&rig, 1, held, 1u);
	for (int i = 0; i < 5; i++) {
		rig_kill(&rig);
		struct pollfd polled = { .fd = two, .events = POLLIN };
		cr_expect_eq(poll(&polled, 1, 0), 0, "it is closed");
		rig_start_again(&rig);
	}
	serve_to_the_end(one, connection, &record, &claimed);
	expect_served_once(two);
	close(one);
	close(two);
}

Test(acceptor_guard, one_that_is_suspended_hands_over_when_it_is_continued)
{
	int client = connect_with_request(serve());
	pid_t guard = rig_guard(&rig);
	rig_wait_score(&rig, 1, waiting, 1u);
	kill(guard, SIGSTOP);
	kill(rig.pid, SIGKILL);
	kill(guard, SIGCONT);
	cr_expect_eq(rig_wait_end(&rig), 1000 + SIGKILL);
	rig_start_again(&rig);
	expect_served_once(client);
	close(client);
}

Test(acceptor_guard, an_acceptor_whose_guard_has_died_asks_for_its_renewal)
{
	serve();
	kill(rig_guard(&rig), SIGKILL);
	rig_wait_log(&rig, "the guard of this acceptor has ended");
	rig_wait_unguarded(&rig);
}

Test(acceptor_guard, an_orderly_end_leaves_the_same_and_no_guard)
{
	struct handoff record;
	struct control_service settings = settings_of_ours();
	struct slot_claim claimed;
	settings.max_per_source = 1;
	uint16_t port = rig_serve(&rig, &settings);
	int one = connect_with_request(port), two = connect_with_request(port);
	int connection = take_ours(&record, &claimed);
	rig_wait_score(&rig, 1, held, 1u);
	pid_t guard = rig_guard(&rig);
	shutdown(rig.control, SHUT_RDWR);
	cr_expect_eq(rig_wait_end(&rig), 0);
	cr_expect_eq(kill(guard, 0), -1, "its guard is still there");
	rig_start_again(&rig);
	cr_expect_eq(rig_score(&rig, 1, held), 1);
	serve_to_the_end(one, connection, &record, &claimed);
	expect_served_once(two);
	close(one);
	close(two);
}

Test(acceptor_guard, what_was_of_a_service_that_is_no_more_is_closed)
{
	struct control_service settings = settings_of_ours();
	struct handoff record;
	settings.max_per_source = 1;
	uint16_t port = rig_serve(&rig, &settings);
	int one = rig_connect(port, NULL), two = rig_connect(port, NULL);
	close(rig_take(&rig, 1, &record));
	rig_wait_score(&rig, 1, held, 1u);
	rig_kill(&rig);
	strcpy(rig.services[1].settings.name, "another");
	rig_start_again(&rig);
	cr_expect_eq(rig_client_end(two), 0);
	rig_wait_log(&rig, "a service that is no more");
	close(one);
	close(two);
}

/* ---- at each system call --------------------------------------------------------------------- */

/* From here on it goes from one system call to the next, each time that it is told to. */
static void take_hold(void)
{
	int status;
	cr_assert_eq(ptrace(PTRACE_SEIZE, rig.pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0,
		"%s", strerror(errno));
	cr_assert_eq(ptrace(PTRACE_INTERRUPT, rig.pid, NULL, NULL), 0);
	cr_assert_eq(waitpid(rig.pid, &status, 0), rig.pid);
}

/* To right before or right after the next one. */
static void step(void)
{
	int status;
	cr_assert_eq(ptrace(PTRACE_SYSCALL, rig.pid, NULL, NULL), 0);
	cr_assert_eq(waitpid(rig.pid, &status, 0), rig.pid);
	cr_assert(WIFSTOPPED(status), "status %x", (unsigned)status);
}

static bool has_in_queue(void)
{
	return !rig_queue_is_empty(&rig, 1);
}

static bool has_handed_off(void)
{
	return has_in_queue() && rig_score(&rig, 1, waiting) == 1;
}

static bool has_no_live(void)
{
	return rig_score(&rig, 1, live) == 0;
}

/* One that is killed at its n-th stop from here on. False: it was done before. */
static bool kill_at_stop(int n, bool (*is_done)(void))
{
	bool was_done = false;
	for (int i = 0; i < n && !was_done; i++) {
		step();
		was_done = is_done();
	}
	rig_kill(&rig);
	return !was_done;
}

static void begin_anew(void)
{
	rig_stop(&rig);
	rig_start(&rig);
}

Test(acceptor_guard, killed_at_any_point_between_client_and_queue)
{
	bool is_under_way = true;
	for (int n = 1; is_under_way; n++) {
		uint16_t port = serve();
		take_hold();
		int client = connect_with_request(port);
		is_under_way = kill_at_stop(n, has_handed_off);
		rig_start_again(&rig);
		expect_served_once(client);
		cr_expect_eq(rig_score(&rig, 1, served), 1, "stop %d", n);
		cr_expect_eq(rig_score(&rig, 1, accepted), 1, "stop %d", n);
		close(client);
		begin_anew();
		cr_assert_lt(n, 1000);
	}
}

Test(acceptor_guard, killed_at_any_point_while_a_worker_has_died)
{
	bool is_under_way = true;
	for (int n = 1; is_under_way; n++) {
		struct handoff record;
		struct slot_claim claimed;
		int client = connect_with_request(serve());
		close(rig_take(&rig, 1, &record));
		cr_assert(claim(&record, DEAD, &claimed));
		take_hold();
		rig_send_process(&rig, CONTROL_WORKER_GONE, 1, DEAD, W_EXITCODE(0, SIGKILL));
		is_under_way = kill_at_stop(n, has_handed_off);
		rig_start_again(&rig);
		expect_served_once(client);
		cr_expect_eq(rig_score(&rig, 1, served), 1, "stop %d", n);
		close(client);
		begin_anew();
		cr_assert_lt(n, 1000);
	}
}

/* What is published of live connections may be older than the totals. */
Test(acceptor_guard, killed_at_any_point_while_it_hears_of_an_end)
{
	bool is_under_way = true;
	for (int n = 1; is_under_way; n++) {
		struct handoff record;
		struct slot_claim claimed;
		int client = connect_with_request(serve());
		int connection = take_ours(&record, &claimed);
		cr_assert(slot_begin(&claimed, COMMAND));
		rig_report(&rig, 1, &record, REPORT_STARTED, COMMAND, 0);
		rig_wait_score(&rig, 1, oldest_pid, COMMAND);
		close(connection);
		take_hold();
		rig_report(&rig, 1, &record, REPORT_ENDED, COMMAND, 0);
		is_under_way = kill_at_stop(n, has_no_live);
		rig_start_again(&rig);
		/* If nobody has heard of it, nobody tells again. */
		rig_wait_score(&rig, 1, live, 0u);
		cr_expect_eq(rig_score(&rig, 1, served), 1, "stop %d", n);
		cr_expect_eq(rig_score(&rig, 1, lost), 0, "stop %d", n);
		close(client);
		begin_anew();
		cr_assert_lt(n, 1000);
	}
}

/* Two clients: one is held, the other's copy is kept. */
Test(acceptor_guard, killed_at_any_point_while_it_takes_over)
{
	bool is_under_way = true;
	for (int n = 1; is_under_way; n++) {
		struct handoff record;
		struct slot_claim claimed;
		struct control_service settings = settings_of_ours();
		settings.max_per_source = 1;
		uint16_t port = rig_serve(&rig, &settings);
		int one = connect_with_request(port), two = connect_with_request(port);
		close(rig_take(&rig, 1, &record));
		cr_assert(claim(&record, DEAD, &claimed));
		rig_wait_score(&rig, 1, held, 1u);
		rig_kill(&rig);
		rig_spawn(&rig);
		take_hold();
		rig_introduce(&rig);
		is_under_way = kill_at_stop(n, has_handed_off);
		rig_start_again(&rig);
		int connection = take_ours(&record, &claimed);
		serve_to_the_end(one, connection, &record, &claimed);
		expect_served_once(two);
		cr_expect_eq(rig_score(&rig, 1, accepted), 2, "stop %d", n);
		cr_expect_eq(rig_score(&rig, 1, served), 2, "stop %d", n);
		close(one);
		close(two);
		begin_anew();
		cr_assert_lt(n, 1000);
	}
}

static void step_to_hand_off(void)
{
	struct __ptrace_syscall_info info;
	do {
		step();
		memset(&info, 0, sizeof info);
		cr_assert_gt(ptrace(PTRACE_GET_SYSCALL_INFO, rig.pid, sizeof info, &info), 0);
	} while (info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != SYS_sendmsg);
}

/* What is wrong may be the connection itself. */
Test(acceptor_guard, a_connection_that_takes_three_acceptors_with_it_goes_to_no_fourth)
{
	uint16_t port = serve();
	take_hold();
	int client = rig_connect(port, NULL);
	step_to_hand_off();
	rig_kill(&rig);
	for (int i = 1; i < 3; i++) {
		rig_spawn(&rig);
		take_hold();
		rig_introduce(&rig);
		step_to_hand_off();
		rig_kill(&rig);
	}
	rig_start_again(&rig);
	rig_wait_log(&rig, "3 acceptors as they died");
	cr_expect_eq(rig_client_end(client), 0);
	cr_expect_eq(rig_score(&rig, 1, lost), 1);
	close(client);
}
