/* What a real acceptor does with the connections of a worker that died, by what their slots say. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/acceptor_rig.h"

/* Processes that the acceptor only hears of. */
enum { DEAD = RIG_NOBODY + 1, ALIVE = RIG_NOBODY + 2, COMMAND = RIG_NOBODY + 3 };

static struct rig rig;

static void setup(void)
{
	rig_start(&rig);
}

static void teardown(void)
{
	rig_stop(&rig);
}

TestSuite(acceptor_redelivery, .init = setup, .fini = teardown, .timeout = 60);

static struct control_service settings_of(bool are_ours)
{
	struct control_service settings = rig_settings(1);
	settings.has_slots = 1;
	settings.redelivers = 1;
	settings.may_be_silent = !are_ours;
	return settings;
}

/* Of a type whose workers are ours: they claim, and report. */
static uint16_t serve(void)
{
	struct control_service settings = settings_of(true);
	return rig_serve(&rig, &settings);
}

static bool claim(const struct handoff *record, int32_t pid, struct slot_claim *ret_claim)
{
	return slots_claim(&rig.services[1].slots, record, pid, ret_claim);
}

static int take_and_claim(struct handoff *ret_record, int32_t pid, struct slot_claim *ret_claim)
{
	int connection = rig_take(&rig, 1, ret_record);
	cr_assert(claim(ret_record, pid, ret_claim));
	return connection;
}

static void worker_gone(pid_t pid)
{
	rig_send_process(&rig, CONTROL_WORKER_GONE, 1, pid, W_EXITCODE(0, SIGKILL));
	rig_sync(&rig);
}

static void expect_counts(uint64_t redelivered, uint64_t lost, uint32_t live)
{
	cr_expect_eq(rig_score(&rig, 1, redelivered), redelivered);
	cr_expect_eq(rig_score(&rig, 1, lost), lost);
	cr_expect_eq(rig_score(&rig, 1, live), live);
}

/* What the supervisor is told that a death has cost. */
static void expect_toll(pid_t pid, uint32_t held, uint32_t redelivered, uint32_t lost)
{
	const struct control_toll *toll = &rig.toll;
	cr_expect_eq(toll->kind, CONTROL_TOLL, "nothing was told");
	cr_expect_eq(toll->service, 1);
	cr_expect_eq(toll->pid, pid);
	cr_expect_eq(toll->n_held, held, "%u", toll->n_held);
	cr_expect_eq(toll->n_redelivered, redelivered, "%u", toll->n_redelivered);
	cr_expect_eq(toll->n_lost, lost, "%u", toll->n_lost);
}

/* It is the client's connection, with all that he sent. */
static void expect_served(int client, int connection, const char *request)
{
	char text[32] = "";
	cr_expect_eq(recv(connection, text, sizeof text - 1, 0), (ssize_t)strlen(request));
	cr_expect_str_eq(text, request);
	cr_expect_eq(send(connection, "answer", 6, 0), 6);
	cr_expect_eq(recv(client, text, 6, MSG_WAITALL), 6);
}

Test(acceptor_redelivery, a_connection_that_a_dead_worker_had_claimed_goes_to_another)
{
	struct handoff first, second;
	struct slot_claim old, new;
	int client = rig_connect(serve(), NULL);
	cr_assert_eq(send(client, "request", 7, 0), 7);
	close(take_and_claim(&first, DEAD, &old));
	worker_gone(DEAD);
	expect_toll(DEAD, 1, 1, 0);
	cr_expect_eq(rig.toll.n_given_up, 0);
	int connection = take_and_claim(&second, ALIVE, &new);
	cr_expect_eq(second.connection, first.connection);
	cr_expect_not(slot_begin(&old, COMMAND), "a child of the dead one still begins");
	cr_expect(slot_begin(&new, COMMAND));
	expect_counts(1, 0, 1);
	cr_expect_eq(rig_score(&rig, 1, handed), 1);
	cr_expect(strstr(rig_wait_log(&rig, "go to another"), "1 connections"));
	expect_served(client, connection, "request");
	rig_report(&rig, 1, &second, REPORT_STARTED, COMMAND, 0);
	rig_report(&rig, 1, &second, REPORT_ENDED, COMMAND, 0);
	rig_wait_score(&rig, 1, live, 0u);
	close(connection);
	cr_expect_eq(rig_client_end(client), 0, "a copy is still open");
	close(client);
}

Test(acceptor_redelivery, so_does_one_that_was_received_and_not_claimed)
{
	struct handoff first, second;
	struct slot_claim none;
	int client = rig_connect(serve(), NULL);
	close(rig_take(&rig, 1, &first));
	worker_gone(DEAD);
	close(rig_take(&rig, 1, &second));
	cr_expect_eq(second.connection, first.connection);
	cr_expect_not(claim(&first, DEAD, &none), "whoever comes late gets it, too");
	cr_expect(claim(&second, ALIVE, &none));
	expect_counts(1, 0, 1);
	close(client);
}

Test(acceptor_redelivery, nobody_loses_what_waits_or_what_another_worker_has)
{
	struct handoff record;
	struct slot_claim claimed;
	uint16_t port = serve();
	int one = rig_connect(port, NULL), two = rig_connect(port, NULL);
	rig_wait_score(&rig, 1, waiting, 2u);
	close(take_and_claim(&record, ALIVE, &claimed));
	worker_gone(DEAD);
	cr_expect_eq(handoff_queue_depth(rig.services[1].queue[1]), 1);
	cr_expect(slot_begin(&claimed, COMMAND));
	expect_counts(0, 0, 2);
	expect_toll(DEAD, 0, 0, 0);
	close(one);
	close(two);
}

Test(acceptor_redelivery, a_command_that_has_begun_is_known_though_nobody_told)
{
	struct handoff record;
	struct slot_claim claimed;
	int client = rig_connect(serve(), NULL);
	int connection = take_and_claim(&record, DEAD, &claimed);
	cr_expect(slot_begin(&claimed, COMMAND));
	worker_gone(DEAD);
	cr_expect(rig_queue_is_empty(&rig, 1));
	expect_counts(0, 0, 1);
	cr_expect(strstr(rig_wait_log(&rig, "START"), "pid=4194307"));
	close(connection);
	cr_expect_eq(rig_client_end(client), 0, "a copy is still open");
	rig_send_process(&rig, CONTROL_CHILD_ENDED, 0, COMMAND, 0);
	rig_wait_score(&rig, 1, served, 1u);
	expect_counts(0, 0, 0);
	close(client);
}

Test(acceptor_redelivery, so_is_one_that_ended_before_its_worker_was_missed)
{
	struct handoff record;
	struct slot_claim claimed;
	int client = rig_connect(serve(), NULL);
	close(take_and_claim(&record, DEAD, &claimed));
	cr_expect(slot_begin(&claimed, COMMAND));
	rig_send_process(&rig, CONTROL_CHILD_ENDED, 0, COMMAND, 0);
	worker_gone(DEAD);
	rig_wait_score(&rig, 1, served, 1u);
	expect_counts(0, 0, 0);
	close(client);
}

Test(acceptor_redelivery, what_serves_itself_and_dies_is_lost_and_what_was_passed_on_is_not)
{
	struct handoff record;
	struct slot_claim claimed;
	uint16_t port = serve();
	int one = rig_connect(port, NULL), two = rig_connect(port, NULL);
	close(take_and_claim(&record, DEAD, &claimed));
	cr_expect(slot_begin(&claimed, DEAD));
	close(take_and_claim(&record, DEAD, &claimed));
	cr_expect(slot_begin(&claimed, 0));
	worker_gone(DEAD);
	cr_expect_eq(rig_score(&rig, 1, served), 1);
	expect_counts(0, 1, 0);
	close(one);
	close(two);
}

Test(acceptor_redelivery, a_connection_that_takes_three_workers_with_it_goes_to_no_fourth)
{
	struct handoff record;
	struct slot_claim claimed;
	int client = rig_connect(serve(), NULL);
	for (int i = 0; i < 3; i++) {
		close(take_and_claim(&record, DEAD + i, &claimed));
		worker_gone(DEAD + i);
	}
	cr_expect(rig_queue_is_empty(&rig, 1));
	expect_counts(2, 1, 0);
	expect_toll(DEAD + 2, 1, 0, 1);
	cr_expect_eq(rig.toll.n_given_up, 1);
	cr_expect_eq(rig.toll.given_up[0].connection, record.connection);
	cr_expect_eq(rig.toll.given_up[0].peer.port, record.peer.port);
	const char *line = rig_wait_log(&rig, "3 workers as they died");
	cr_expect(strstr(line, "the connection of 127.0.0.1:"), "%s", line);
	cr_expect_eq(rig_client_end(client), 0);
	close(client);
}

Test(acceptor_redelivery, none_where_it_is_not_wanted)
{
	struct handoff record;
	struct slot_claim claimed;
	struct control_service settings = settings_of(true);
	settings.redelivers = 0;
	int client = rig_connect(rig_serve(&rig, &settings), NULL);
	close(take_and_claim(&record, DEAD, &claimed));
	worker_gone(DEAD);
	cr_expect(rig_queue_is_empty(&rig, 1));
	expect_counts(0, 1, 0);
	cr_expect(strstr(rig_wait_log(&rig, "LOST"), "worker 4194305 died holding it"));
	close(client);
}

Test(acceptor_redelivery, waits_for_room_in_a_full_queue_and_comes_before_others)
{
	enum { DEPTH = 4 };
	struct handoff first, record;
	struct slot_claim claimed;
	struct control_service settings = settings_of(true);
	int clients[16];
	settings.queue_depth = DEPTH;
	uint16_t port = rig_serve(&rig, &settings);
	clients[0] = rig_connect(port, NULL);
	close(take_and_claim(&first, DEAD, &claimed));
	for (int i = 1; i < 16; i++)
		clients[i] = rig_connect(port, NULL);
	while (!(rig_score(&rig, 1, paused) & SCORE_PAUSED_QUEUE))
		usleep(1000);
	worker_gone(DEAD);
	cr_expect_eq(rig_score(&rig, 1, redelivered), 1);
	bool is_back = false;
	for (int n = 1; !is_back; n++) {
		cr_assert_leq(n, 15, "it does not come again");
		close(take_and_claim(&record, ALIVE, &claimed));
		is_back = record.connection == first.connection;
		rig_report(&rig, 1, &record, REPORT_STARTED, COMMAND, 0);
	}
	for (int i = 0; i < 16; i++)
		close(clients[i]);
}

/* ---- programs of others ---------------------------------------------------------------------- */

/* As a program that claims with libfdsup and says when it begins. */
static uint16_t serve_with_library(void)
{
	struct handoff record;
	struct slot_claim claimed;
	struct control_service settings = settings_of(false);
	uint16_t port = rig_serve(&rig, &settings);
	int client = rig_connect(port, NULL);
	close(take_and_claim(&record, ALIVE, &claimed));
	slot_begin(&claimed, ALIVE);
	rig_report(&rig, 1, &record, REPORT_TAKEN, 0, 0);
	rig_report(&rig, 1, &record, REPORT_ENDED, 0, 0);
	rig_wait_score(&rig, 1, served, 1u);
	close(client);
	return port;
}

Test(acceptor_redelivery, an_untouched_one_of_a_program_goes_to_another_a_read_one_is_lost)
{
	struct handoff records[2], again;
	struct slot_claim claimed;
	char request[8];
	uint16_t port = serve_with_library();
	int clients[2], connections[2];
	for (int i = 0; i < 2; i++) {
		clients[i] = rig_connect(port, NULL);
		cr_assert_eq(send(clients[i], "request", 7, 0), 7);
		connections[i] = take_and_claim(&records[i], DEAD, &claimed);
	}
	cr_assert_eq(recv(connections[0], request, 1, 0), 1);
	/* As a program with an event loop does. */
	fcntl(connections[1], F_SETFL, O_NONBLOCK);
	close(connections[0]);
	close(connections[1]);
	worker_gone(DEAD);
	expect_counts(1, 1, 1);
	int connection = rig_take(&rig, 1, &again);
	cr_expect_eq(again.connection, records[1].connection);
	cr_expect_eq(fcntl(connection, F_GETFL) & O_NONBLOCK, 0);
	expect_served(clients[1], connection, "request");
	close(connection);
	cr_expect_eq(rig_client_end(clients[0]), ECONNRESET); /* it had sent what nobody read */
	close(clients[0]);
	close(clients[1]);
}

Test(acceptor_redelivery, no_copy_is_kept_of_what_a_silent_program_has)
{
	struct handoff record;
	struct control_service settings = settings_of(false);
	int client = rig_connect(rig_serve(&rig, &settings), NULL);
	int connection = rig_take(&rig, 1, &record);
	close(connection);
	cr_expect_eq(rig_client_end(client), 0);
	worker_gone(DEAD);
	cr_expect(rig_queue_is_empty(&rig, 1));
	cr_expect_eq(rig_score(&rig, 1, redelivered), 0);
	close(client);
}

Test(acceptor_redelivery, nor_of_one_that_reports_and_does_not_claim)
{
	struct handoff record;
	struct control_service settings = settings_of(false);
	uint16_t port = rig_serve(&rig, &settings);
	for (int i = 0; i < 3; i++) {
		int client = rig_connect(port, NULL);
		close(rig_take(&rig, 1, &record));
		cr_expect_eq(rig_client_end(client), 0);
		rig_report(&rig, 1, &record, REPORT_TAKEN, 0, 0);
		rig_report(&rig, 1, &record, REPORT_ENDED, 0, 0);
		rig_wait_score(&rig, 1, served, (unsigned)i + 1);
		close(client);
	}
}

Test(acceptor_redelivery, nor_for_long_of_one_that_claims_and_says_no_more)
{
	struct handoff record;
	struct slot_claim claimed;
	uint16_t port = serve_with_library();
	int client = rig_connect(port, NULL);
	close(take_and_claim(&record, ALIVE, &claimed));
	cr_expect_eq(rig_client_end(client), 0);
	close(client);
}

/* ---- the acceptor is replaced ---------------------------------------------------------------- */

Test(acceptor_redelivery, the_next_acceptor_leaves_the_slots_of_others_alone)
{
	const pid_t alive = getpid(); /* that it lives is looked at */
	struct handoff claimed_one, queued, fresh;
	struct slot_claim claimed, later;
	uint16_t port = serve();
	int one = rig_connect(port, NULL), two = rig_connect(port, NULL);
	rig_wait_score(&rig, 1, waiting, 2u);
	close(take_and_claim(&claimed_one, alive, &claimed));
	rig_replace(&rig);
	int three = rig_connect(port, NULL);
	close(take_and_claim(&queued, alive, &later));
	close(rig_take(&rig, 1, &fresh));
	cr_expect_neq(fresh.slot, claimed_one.slot);
	cr_expect_neq(fresh.slot, queued.slot);
	cr_expect(slot_begin(&claimed, COMMAND));
	cr_expect(slot_begin(&later, COMMAND + 1));
	rig_report(&rig, 1, &claimed_one, REPORT_STARTED, COMMAND, 0);
	rig_report(&rig, 1, &claimed_one, REPORT_ENDED, COMMAND, 0);
	rig_wait_score(&rig, 1, served, 1u);
	cr_expect_eq(rig_score(&rig, 1, lost), 0);
	close(one);
	close(two);
	close(three);
}

Test(acceptor_redelivery, the_next_acceptor_names_what_it_cannot_give_to_another)
{
	struct handoff record;
	struct slot_claim claimed;
	char id[32];
	int client = rig_connect(serve(), NULL);
	close(take_and_claim(&record, DEAD, &claimed));
	kill(rig_guard(&rig), SIGKILL); /* else it would keep the copy: acceptor_guard.c */
	rig_wait_log(&rig, "the guard of this acceptor has ended");
	rig_kill(&rig);
	cr_expect_eq(rig_client_end(client), 0);
	rig_start_again(&rig);
	worker_gone(DEAD);
	rig_wait_score(&rig, 1, lost, 1u);
	expect_counts(0, 1, 0);
	snprintf(id, sizeof id, "id=%016llx", (unsigned long long)record.connection);
	cr_expect(strstr(rig_wait_log(&rig, "LOST"), id));
	close(client);
}

Test(acceptor_redelivery, slots_are_used_again)
{
	enum { N = 3 * SLOTS_MIN };
	struct handoff record;
	struct slot_claim claimed;
	uint16_t port = serve();
	for (int i = 0; i < N; i++) {
		int client = rig_connect(port, NULL);
		close(take_and_claim(&record, ALIVE, &claimed));
		cr_expect_lt(record.slot, SLOTS_MIN / 4);
		cr_expect(slot_begin(&claimed, COMMAND));
		rig_report(&rig, 1, &record, REPORT_STARTED, COMMAND, 0);
		rig_report(&rig, 1, &record, REPORT_ENDED, COMMAND, 0);
		close(client);
	}
	rig_wait_score(&rig, 1, served, (unsigned)N);
	cr_expect_eq(rig_score(&rig, 1, uncovered), 0);
}
