/* What a real acceptor does when workers die, commands outlive them, or it is replaced itself. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/acceptor_rig.h"

static struct rig rig;

static void setup(void)
{
	rig_start(&rig);
}

static void teardown(void)
{
	rig_stop(&rig);
}

TestSuite(acceptor_losses, .init = setup, .fini = teardown, .timeout = 60);

static uint16_t serve(void)
{
	struct control_service settings = rig_settings(1);
	return rig_serve(&rig, &settings);
}

static void worker_gone(pid_t pid)
{
	rig_send_process(&rig, CONTROL_WORKER_GONE, 1, pid, W_EXITCODE(0, SIGKILL));
	rig_sync(&rig);
}

Test(acceptor_losses, names_the_connection_that_a_worker_had_taken)
{
	struct handoff record;
	char expected[64];
	int client = rig_connect(serve(), NULL);
	close(rig_take(&rig, 1, &record));
	rig_report(&rig, 1, &record, REPORT_TAKEN, 0, 0);
	worker_gone(getpid());
	cr_expect_eq(rig_score(&rig, 1, lost), 1);
	cr_expect_eq(rig_score(&rig, 1, live), 0);
	snprintf(expected, sizeof expected, "worker %d died holding it", getpid());
	const char *line = rig_wait_log(&rig, "LOST");
	cr_expect(strstr(line, expected), "%s", line);
	cr_expect(strstr(line, "peer=127.0.0.1:"), "%s", line);
	cr_expect_eq(rig.toll.pid, getpid());
	cr_expect_eq(rig.toll.n_held, 1);
	cr_expect_eq(rig.toll.n_lost, 1);
	close(client);
}

Test(acceptor_losses, nothing_is_told_of_workers_that_tell_nothing)
{
	struct handoff record;
	struct control_service settings = rig_settings(1);
	settings.may_be_silent = 1;
	int client = rig_connect(rig_serve(&rig, &settings), NULL);
	close(rig_take(&rig, 1, &record));
	worker_gone(RIG_NOBODY);
	cr_expect_eq(rig.toll.kind, 0);
	close(client);
}

Test(acceptor_losses, a_command_whose_end_is_told_before_that_of_its_worker_was_his)
{
	struct handoff record;
	int client = rig_connect(serve(), NULL);
	close(rig_take(&rig, 1, &record));
	rig_report(&rig, 1, &record, REPORT_STARTED, 4712, 0);
	rig_send_process(&rig, CONTROL_CHILD_ENDED, 0, 4712, W_EXITCODE(0, SIGKILL));
	worker_gone(getpid());
	cr_expect_eq(rig.toll.n_held, 1);
	cr_expect_eq(rig.toll.n_lost, 0);
	cr_expect_eq(rig.command.pid, 4712);
	close(client);
}

/* ---- silent workers that nobody follows --------------------------------------------------------- */

/*
 * Nothing but the queue tells that a worker has taken one. There is one place, and all but one client
 * wait for it; if each had to wait until the silence is long enough to be sure of, it would take minutes.
 */
static void expect_quick_turns(struct control_service *settings, bool are_held)
{
	enum { N = 24 };
	struct handoff record;
	int clients[N];
	settings->may_be_silent = 1;
	settings->overflow_wait_ms = 300000;
	uint16_t port = rig_serve(&rig, settings);
	for (int i = 0; i < N; i++)
		clients[i] = rig_connect(port, "127.0.0.5");
	for (unsigned i = 1; i <= N; i++) {
		rig_wait_score(&rig, 1, handed, i);
		if (are_held)
			rig_wait_score(&rig, 1, held, N - i);
		else
			rig_wait_score(&rig, 1, paused, SCORE_PAUSED_FULL);
		close(rig_take(&rig, 1, &record));
	}
	cr_expect_eq(rig_score(&rig, 1, refused), 0);
	cr_expect_eq(rig_score(&rig, 1, lost), 0);
	for (int i = 0; i < N; i++)
		close(clients[i]);
}

Test(acceptor_losses, what_a_silent_worker_has_taken_does_not_wait)
{
	enum { N = 3 };
	struct handoff record;
	int clients[N];
	struct control_service settings = rig_settings(1);
	settings.may_be_silent = 1;
	uint16_t port = rig_serve(&rig, &settings);
	for (int i = 0; i < N; i++)
		clients[i] = rig_connect(port, NULL);
	rig_wait_score(&rig, 1, waiting, (unsigned)N);
	uint64_t oldest_ns = rig_score(&rig, 1, oldest_waiting_ns);
	for (unsigned n_left = N; n_left-- > 0;) {
		int connection = rig_take(&rig, 1, &record);
		rig_wait_score(&rig, 1, waiting, n_left);
		cr_expect_eq(rig_score(&rig, 1, live), N);
		cr_expect_eq(rig_score(&rig, 1, oldest_waiting_ns) == 0, n_left == 0);
		cr_expect_neq(rig_score(&rig, 1, oldest_waiting_ns), oldest_ns);
		oldest_ns = rig_score(&rig, 1, oldest_waiting_ns);
		close(connection);
	}
	for (int i = 0; i < N; i++)
		close(clients[i]);
}

Test(acceptor_losses, max_connections_lets_the_next_in_when_a_silent_worker_has_taken_one)
{
	struct control_service settings = rig_settings(1);
	settings.max_connections = 1;
	expect_quick_turns(&settings, false);
}

Test(acceptor_losses, max_per_source_lets_the_next_in_when_a_silent_worker_has_taken_one)
{
	struct control_service settings = rig_settings(1);
	settings.max_per_source = 1;
	expect_quick_turns(&settings, true);
}

/* ---- commands that do not end well ------------------------------------------------------------- */

static void run_command(uint16_t port, int pid, int status, struct handoff *ret_record)
{
	int client = rig_connect(port, NULL);
	close(rig_take(&rig, 1, ret_record));
	rig_report(&rig, 1, ret_record, REPORT_STARTED, pid, 0);
	rig_report(&rig, 1, ret_record, REPORT_ENDED, pid, status);
	close(client);
}

Test(acceptor_losses, a_command_that_ends_badly_is_told_and_no_other)
{
	struct handoff record;
	uint16_t port = serve();
	run_command(port, 4712, 0, &record);
	rig_wait_score(&rig, 1, served, 1u);
	rig_sync(&rig);
	cr_expect_eq(rig.n_commands, 0);
	run_command(port, 4713, W_EXITCODE(0, SIGSEGV), &record);
	rig_wait_score(&rig, 1, served, 2u);
	rig_sync(&rig);
	cr_expect_eq(rig.n_commands, 1);
	cr_expect_eq(rig.command.service, 1);
	cr_expect_eq(rig.command.pid, 4713);
	cr_expect_eq(rig.command.status, W_EXITCODE(0, SIGSEGV));
	cr_expect_eq(rig.command.client.connection, record.connection);
	cr_expect_eq(rig.command.client.peer.port, record.peer.port);
}

Test(acceptor_losses, of_many_commands_that_end_badly_a_few_are_told_and_the_others_counted)
{
	enum { N = 200 };
	struct handoff record;
	uint16_t port = serve();
	for (int i = 0; i < N; i++)
		run_command(port, RIG_NOBODY + i, W_EXITCODE(1, 0), &record);
	rig_wait_score(&rig, 1, failed, (unsigned)N);
	do {
		rig_sync(&rig);
		usleep(1000);
	} while (rig.n_commands + rig.n_commands_untold < N);
	cr_expect_eq(rig.n_commands + rig.n_commands_untold, N);
	cr_expect_geq(rig.n_commands, 20);
	cr_expect_gt(rig.n_commands_untold, 0);
}

Test(acceptor_losses, does_not_lose_what_still_waits_in_the_queue)
{
	enum { N = 5 };
	struct handoff records[N];
	int clients[N];
	uint16_t port = serve();
	for (int i = 0; i < N; i++)
		clients[i] = rig_connect(port, NULL);
	rig_wait_score(&rig, 1, waiting, (unsigned)N);
	/* One is served, so these workers do report; one is taken silently; three stay. */
	close(rig_take(&rig, 1, &records[0]));
	rig_report(&rig, 1, &records[0], REPORT_STARTED, 4712, 0);
	close(rig_take(&rig, 1, &records[1]));
	worker_gone(RIG_NOBODY);
	rig_wait_score(&rig, 1, lost, 1u);
	char id[32];
	snprintf(id, sizeof id, "id=%016llx", (unsigned long long)records[1].connection);
	cr_expect(strstr(rig_wait_log(&rig, "LOST"), id));
	for (int i = 2; i < N; i++) {
		close(rig_take(&rig, 1, &records[i]));
		rig_report(&rig, 1, &records[i], REPORT_ENDED, 4712, 0);
	}
	rig_wait_score(&rig, 1, served, 3u);
	cr_expect_eq(rig_score(&rig, 1, lost), 1);
	cr_expect_eq(rig_score(&rig, 1, live), 1);
	for (int i = 0; i < N; i++)
		close(clients[i]);
}

Test(acceptor_losses, leaves_time_to_another_worker_that_has_not_reported_yet)
{
	struct handoff first, second;
	uint16_t port = serve();
	int one = rig_connect(port, NULL), two = rig_connect(port, NULL);
	close(rig_take(&rig, 1, &first));
	rig_report(&rig, 1, &first, REPORT_STARTED, 4712, 0);
	close(rig_take(&rig, 1, &second));
	worker_gone(RIG_NOBODY);
	rig_report(&rig, 1, &second, REPORT_STARTED, 4713, 0);
	rig_wait_score(&rig, 1, waiting, 0u);
	rig_report(&rig, 1, &second, REPORT_ENDED, 4713, 0);
	rig_wait_score(&rig, 1, served, 1u);
	cr_expect_eq(rig_score(&rig, 1, lost), 0);
	close(one);
	close(two);
}

/* ---- commands that outlive their worker --------------------------------------------------------- */

/* A command that does nothing, of a worker that is gone. The client is the caller's. */
static int outlive(pid_t *ret_pid)
{
	struct handoff record;
	int client = rig_connect(serve(), NULL);
	close(rig_take(&rig, 1, &record));
	*ret_pid = fork();
	if (*ret_pid == 0) {
		pause();
		_exit(0);
	}
	rig_report(&rig, 1, &record, REPORT_STARTED, *ret_pid, 0);
	worker_gone(getpid());
	cr_expect_eq(rig_score(&rig, 1, lost), 0);
	cr_expect_eq(rig_score(&rig, 1, live), 1);
	return client;
}

static void end_command(pid_t pid)
{
	kill(pid, SIGTERM);
	cr_expect_eq(waitpid(pid, NULL, 0), pid);
}

Test(acceptor_losses, follows_commands_that_outlive_their_worker)
{
	pid_t pid;
	char expected[32];
	int client = outlive(&pid);
	end_command(pid);
	rig_send_process(&rig, CONTROL_CHILD_ENDED, 0, pid, W_EXITCODE(0, SIGTERM));
	const char *line = rig_wait_log(&rig, "END");
	snprintf(expected, sizeof expected, "pid=%d", (int)pid);
	cr_expect(strstr(line, expected), "%s", line);
	cr_expect(strstr(line, "cpu=0.004s signal=TERM"), "%s", line);
	cr_expect_eq(rig_score(&rig, 1, served), 1);
	cr_expect_eq(rig_score(&rig, 1, failed), 1);
	cr_expect_eq(rig_score(&rig, 1, live), 0);
	close(client);
}

Test(acceptor_losses, commands_of_whose_end_nobody_tells_have_ended_all_the_same)
{
	pid_t pid;
	char expected[32];
	int client = outlive(&pid);
	end_command(pid);
	const char *line = rig_wait_log(&rig, "END");
	snprintf(expected, sizeof expected, "pid=%d", (int)pid);
	cr_expect(strstr(line, expected), "%s", line);
	cr_expect(strstr(line, "cpu=- status=-"), "%s", line);
	rig_wait_score(&rig, 1, live, 0u);
	cr_expect_eq(rig_score(&rig, 1, served), 1);
	cr_expect_eq(rig_score(&rig, 1, failed), 0);
	close(client);
}

Test(acceptor_losses, hears_of_the_start_even_if_the_end_is_told_first)
{
	struct handoff record;
	uint16_t port = serve();
	int client = rig_connect(port, NULL);
	close(rig_take(&rig, 1, &record));
	/* Both wait for it at the same time, and it looks at the command first or last. */
	kill(rig.pid, SIGSTOP);
	rig_report(&rig, 1, &record, REPORT_STARTED, 4712, 0);
	rig_send_process(&rig, CONTROL_CHILD_ENDED, 0, 4712, 0);
	kill(rig.pid, SIGCONT);
	rig_wait_score(&rig, 1, served, 1u);
	rig_wait_score(&rig, 1, live, 0u);
	close(client);
}

Test(acceptor_losses, a_service_whose_workers_never_report_is_not_closed_for_good)
{
	struct handoff record;
	struct control_service settings = rig_settings(1);
	settings.max_connections = 2;
	uint16_t port = rig_serve(&rig, &settings);
	for (int i = 0; i < 3; i++) {
		int client = rig_connect(port, NULL);
		close(rig_take(&rig, 1, &record));
		close(client);
	}
	cr_expect(strstr(rig_wait_log(&rig, "do not report"), "max_connections"));
}

Test(acceptor_losses, the_next_acceptor_goes_on_with_queue_totals_and_running_commands)
{
	struct handoff running, queued;
	uint16_t port = serve();
	int one = rig_connect(port, NULL), two = rig_connect(port, NULL);
	close(rig_take(&rig, 1, &running));
	rig_report(&rig, 1, &running, REPORT_STARTED, 4712, 0);
	rig_wait_score(&rig, 1, accepted, 2u);
	rig_wait_score(&rig, 1, waiting, 1u);
	rig_replace(&rig);
	cr_expect_eq(rig_score(&rig, 1, accepted), 2);
	cr_expect_eq(rig_score(&rig, 1, live), 2);
	cr_expect_eq(rig_score(&rig, 1, waiting), 1);
	/* Workers say again what runs. */
	rig_report(&rig, 1, &running, REPORT_STARTED, 4712, 0);
	rig_wait_score(&rig, 1, oldest_pid, 4712);
	cr_expect_eq(rig_score(&rig, 1, live), 2);
	close(rig_take(&rig, 1, &queued));
	rig_report(&rig, 1, &queued, REPORT_ENDED, 4713, 0);
	rig_report(&rig, 1, &running, REPORT_ENDED, 4712, 0);
	rig_wait_score(&rig, 1, served, 2u);
	rig_wait_score(&rig, 1, live, 0u);
	int three = rig_connect(port, NULL);
	close(rig_take(&rig, 1, &queued));
	cr_expect_eq(rig_score(&rig, 1, accepted), 3);
	close(one);
	close(two);
	close(three);
}

Test(acceptor_losses, counts_what_an_acceptor_held_when_it_was_killed_with_its_guard)
{
	struct handoff record;
	struct control_service settings = rig_settings(1);
	settings.max_per_source = 1;
	uint16_t port = rig_serve(&rig, &settings);
	int one = rig_connect(port, NULL), two = rig_connect(port, NULL);
	close(rig_take(&rig, 1, &record));
	rig_wait_score(&rig, 1, held, 1u);
	kill(rig_guard(&rig), SIGKILL);
	rig_wait_log(&rig, "the guard of this acceptor has ended");
	rig_replace(&rig);
	rig_wait_log(&rig, "1 connections live on, 1 were lost");
	cr_expect_eq(rig_score(&rig, 1, lost), 1);
	cr_expect_eq(rig_score(&rig, 1, live), 1);
	cr_expect_eq(rig_score(&rig, 1, held), 0);
	close(one);
	close(two);
}

Test(acceptor_losses, takes_only_so_many_unknown_connections_for_true)
{
	struct handoff record = { .version = 1, .accepted_ns = 1 };
	serve();
	for (unsigned i = 1; i <= 3000; i++) {
		record.connection = i;
		rig_report(&rig, 1, &record, REPORT_STARTED, 4712, 0);
		if (i % 100 == 0)
			rig_sync(&rig);
	}
	cr_expect(rig_wait_log(&rig, "no sense"));
	rig_sync(&rig);
	cr_expect_leq(rig_score(&rig, 1, live), 1024);
}
