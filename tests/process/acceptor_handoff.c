/* What a real acceptor does with connections that no limit touches. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
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

TestSuite(acceptor_handoff, .init = setup, .fini = teardown, .timeout = 60);

static uint16_t serve(void)
{
	struct control_service settings = rig_settings(1);
	return rig_serve(&rig, &settings);
}

Test(acceptor_handoff, hands_over_the_connection_itself)
{
	struct handoff record;
	char text[6] = "";
	int client = rig_connect(serve(), NULL);
	int connection = rig_take(&rig, 1, &record);
	cr_expect_eq(fcntl(connection, F_GETFL) & O_NONBLOCK, 0);
	cr_assert_eq(write(client, "hello", 5), 5);
	cr_expect_eq(read(connection, text, 5), 5);
	cr_expect_str_eq(text, "hello");
	close(connection);
	cr_expect_eq(rig_client_end(client), 0, "the acceptor has kept a copy");
	close(client);
}

Test(acceptor_handoff, tells_who_came_where_and_when)
{
	struct handoff record;
	struct sockaddr_in name;
	socklen_t length = sizeof name;
	uint64_t cookie;
	char text[ENDPOINT_TEXT_SIZE];
	uint16_t port = serve();
	int client = rig_connect(port, "127.0.0.7");
	int connection = rig_take(&rig, 1, &record);
	cr_assert_eq(getsockname(client, (struct sockaddr *)&name, &length), 0);
	length = sizeof cookie;
	cr_assert_eq(getsockopt(connection, SOL_SOCKET, SO_COOKIE, &cookie, &length), 0);
	cr_expect_eq(record.connection, cookie);
	cr_expect_str_eq(endpoint_format_host(text, &record.peer), "127.0.0.7");
	cr_expect_eq(record.peer.port, ntohs(name.sin_port));
	cr_expect_str_eq(endpoint_format_host(text, &record.local), "127.0.0.1");
	cr_expect_eq(record.local.port, port);
	cr_expect_gt(record.accepted_ns, 0);
	close(connection);
	close(client);
}

Test(acceptor_handoff, shows_ipv4_clients_of_a_listener_for_both_families_as_ipv4)
{
	struct handoff record;
	char text[ENDPOINT_TEXT_SIZE];
	struct control_service settings = rig_settings(1);
	int client = rig_connect(rig_serve_on(&rig, &settings, "::"), "127.0.0.7");
	close(rig_take(&rig, 1, &record));
	cr_expect_str_eq(endpoint_format_host(text, &record.peer), "127.0.0.7");
	cr_expect_str_eq(endpoint_format_host(text, &record.local), "127.0.0.1");
	close(client);
}

Test(acceptor_handoff, logs_start_and_end_of_each_connection)
{
	struct handoff record;
	char line[512], peer[ENDPOINT_TEXT_SIZE], local[ENDPOINT_TEXT_SIZE];
	int client = rig_connect(serve(), NULL);
	close(rig_take(&rig, 1, &record));
	endpoint_format(peer, &record.peer);
	endpoint_format(local, &record.local);
	rig_report(&rig, 1, &record, REPORT_STARTED, 4712, 0);
	snprintf(line, sizeof line, "<6>test: START id=%016llx peer=%s local=%s pid=4712",
		(unsigned long long)record.connection, peer, local);
	cr_expect_str_eq(rig_wait_log(&rig, "START"), line);
	rig_report(&rig, 1, &record, REPORT_ENDED, 4712, 0);
	snprintf(line, sizeof line,
		"<6>test: END id=%016llx peer=%s local=%s pid=4712 duration=0.120s cpu=0.003s "
		"status=0 in=- out=-",
		(unsigned long long)record.connection, peer, local);
	cr_expect_str_eq(rig_wait_log(&rig, "END"), line);
	close(client);
}

Test(acceptor_handoff, logs_how_a_command_ended)
{
	static const struct {
		pid_t pid;
		int status;
		const char *text;
	} ends[] = {
		{ 4712, W_EXITCODE(3, 0), " status=3" },
		{ 4712, W_EXITCODE(0, SIGSEGV), " signal=SEGV" },
		{ 0, 0, " status=reset" },
	};
	uint16_t port = serve();
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct handoff record;
		int client = rig_connect(port, NULL);
		close(rig_take(&rig, 1, &record));
		rig_report(&rig, 1, &record, REPORT_ENDED, ends[i].pid, ends[i].status);
		const char *line = rig_wait_log(&rig, "END");
		cr_expect(strstr(line, ends[i].text), "%s", line);
		close(client);
	}
	cr_expect_eq(rig_score(&rig, 1, served), 3);
	cr_expect_eq(rig_score(&rig, 1, failed), 2);
	cr_expect_eq(rig_score(&rig, 1, failures_in_row), 2);
	cr_expect_eq(rig_score(&rig, 1, failure_kind), SCORE_FAILURE_STATUS);
	cr_expect_eq(rig_score(&rig, 1, failure_status), W_EXITCODE(0, SIGSEGV));
	cr_expect_eq(rig_score(&rig, 1, failure_pid), 4712);
}

Test(acceptor_handoff, keeps_the_scoreboard_true_at_every_step)
{
	struct handoff records[2];
	int clients[2];
	uint16_t port = serve();
	for (int i = 0; i < 2; i++)
		clients[i] = rig_connect(port, NULL);
	for (int i = 0; i < 2; i++)
		close(rig_take(&rig, 1, &records[i]));
	rig_wait_score(&rig, 1, waiting, 2u);
	cr_expect_eq(rig_score(&rig, 1, accepted), 2);
	cr_expect_eq(rig_score(&rig, 1, handed), 2);
	cr_expect_eq(rig_score(&rig, 1, live), 2);
	cr_expect_eq(rig_score(&rig, 1, oldest_ns), records[0].accepted_ns);
	cr_expect_eq(rig_score(&rig, 1, oldest_pid), 0);
	rig_report(&rig, 1, &records[0], REPORT_STARTED, 4712, 0);
	rig_wait_score(&rig, 1, waiting, 1u);
	cr_expect_eq(rig_score(&rig, 1, oldest_pid), 4712);
	cr_expect_eq(rig_score(&rig, 1, oldest_waiting_ns), records[1].accepted_ns);
	rig_report(&rig, 1, &records[0], REPORT_ENDED, 4712, 0);
	rig_wait_score(&rig, 1, live, 1u);
	cr_expect_eq(rig_score(&rig, 1, served), 1);
	cr_expect_eq(rig_score(&rig, 1, oldest_ns), records[1].accepted_ns);
	rig_report(&rig, 1, &records[1], REPORT_EXEC_FAILED, 0, ENOENT);
	rig_wait_score(&rig, 1, live, 0u);
	cr_expect_eq(rig_score(&rig, 1, lost), 1);
	cr_expect_eq(rig_score(&rig, 1, exec_failed), 1);
	cr_expect_eq(rig_score(&rig, 1, failure_kind), SCORE_FAILURE_EXEC);
	cr_expect_eq(rig_score(&rig, 1, failure_status), ENOENT);
	cr_expect_eq(rig_score(&rig, 1, oldest_ns), 0);
	cr_expect(strstr(rig_wait_log(&rig, "could not be started"), "No such file"));
	for (int i = 0; i < 2; i++)
		close(clients[i]);
}

Test(acceptor_handoff, says_a_failing_exec_once_and_not_for_each_client)
{
	uint16_t port = serve();
	for (int i = 0; i < 20; i++) {
		struct handoff record;
		int client = rig_connect(port, NULL);
		close(rig_take(&rig, 1, &record));
		rig_report(&rig, 1, &record, REPORT_EXEC_FAILED, 0, EACCES);
		close(client);
	}
	rig_wait_score(&rig, 1, exec_failed, 20u);
	shutdown(rig.control, SHUT_RDWR);
	cr_assert_eq(rig_wait_end(&rig), 0);
	char *first = strstr(rig.log, "could not be started");
	cr_assert(first);
	cr_expect_null(strstr(first + 1, "could not be started"));
}

Test(acceptor_handoff, waits_for_room_in_the_queue_and_loses_nobody)
{
	enum { N = 200 };
	static int clients[N];
	struct control_service settings = rig_settings(1);
	settings.queue_depth = 16;
	uint16_t port = rig_serve(&rig, &settings);
	for (int i = 0; i < N; i++)
		clients[i] = rig_connect(port, NULL);
	rig_wait_score(&rig, 1, paused, (unsigned)SCORE_PAUSED_QUEUE);
	rig_wait_score(&rig, 1, held, 1u);
	cr_expect_eq(rig_score(&rig, 1, handed), 16);
	cr_expect(strstr(rig_wait_log(&rig, "is full"), "queue=16"));
	for (int i = 0; i < N; i++) {
		struct handoff record;
		close(rig_take(&rig, 1, &record));
		if (i % 2) /* with and without the help of reports */
			rig_report(&rig, 1, &record, REPORT_STARTED, 4712, 0);
	}
	rig_wait_score(&rig, 1, handed, (unsigned)N);
	rig_wait_score(&rig, 1, paused, 0u);
	cr_expect_eq(rig_score(&rig, 1, paused_ns), 0);
	for (int i = 0; i < N; i++)
		close(clients[i]);
}

Test(acceptor_handoff, survives_clients_that_reset_before_they_are_accepted)
{
	struct handoff record;
	struct linger now = { .l_onoff = 1 };
	uint16_t port = serve();
	rig_send_number(&rig, CONTROL_PAUSE, 1);
	rig_sync(&rig);
	for (int i = 0; i < 50; i++) {
		int client = rig_connect(port, NULL);
		setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		close(client);
	}
	int client = rig_connect(port, "127.0.0.9");
	rig_send_number(&rig, CONTROL_RESUME, 1);
	char text[ENDPOINT_TEXT_SIZE] = "";
	while (strcmp(text, "127.0.0.9")) {
		close(rig_take(&rig, 1, &record));
		endpoint_format_host(text, &record.peer);
	}
	close(client);
}

Test(acceptor_handoff, ignores_reports_that_make_no_sense)
{
	struct handoff record, other;
	struct control_service second = rig_settings(2);
	uint16_t port = serve(), own_port = rig_serve(&rig, &second);
	int client = rig_connect(port, NULL);
	close(rig_take(&rig, 1, &record));
	int queue = rig.services[1].queue[1];
	cr_assert_eq(send(queue, "nonsense", 8, 0), 8);
	cr_assert_eq(send(queue, "", 0, 0), 0);
	rig_report(&rig, 1, &record, (enum report_kind)99, 4712, 0);
	rig_report(&rig, 1, &record, REPORT_STARTED, -1, 0);
	/* A worker of another service cannot touch it. */
	other = record;
	rig_report(&rig, 2, &other, REPORT_ENDED, 4712, 0);
	int own_client = rig_connect(own_port, NULL);
	close(rig_take(&rig, 2, &other));
	rig_report(&rig, 2, &other, REPORT_ENDED, 4712, 0);
	rig_wait_score(&rig, 2, served, 1u);
	rig_wait_score(&rig, 2, live, 0u);
	cr_expect_eq(rig_score(&rig, 2, served), 1, "nobody had been accepted for the other report");
	close(own_client);
	cr_expect_eq(rig_score(&rig, 1, live), 1);
	rig_report(&rig, 1, &record, REPORT_ENDED, 4712, 0);
	rig_wait_score(&rig, 1, served, 1u);
	cr_expect(strstr(rig_wait_log(&rig, "no sense"), "test: process"));
	close(client);
}
