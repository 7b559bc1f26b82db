/* fdsup-worker takes connections from a queue and tells its acceptor what became of them. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "support/worker_rig.h"
#include "wire/descriptor.h"
#include "wire/slots.h"

static struct worker_rig rig;

static void start_shell(const char *script)
{
	const char *const words[] = { "--", "/bin/sh", "sh", "-c", script, NULL };
	rig_start(&rig, true, words, 0);
}

static void stop(void)
{
	rig_stop(&rig);
}

TestSuite(worker_queue, .fini = stop, .timeout = 60);

Test(worker_queue, serves_a_connection_and_reports_its_start_and_end)
{
	start_shell("read line; echo got $line; exit 7");
	int client = rig_send(&rig, 99);
	struct report started = rig_report(&rig);
	cr_assert_eq(started.kind, REPORT_STARTED);
	cr_assert_eq(started.connection, 99);
	cr_assert_gt(started.pid, 0);
	cr_assert_eq(started.peer.family, AF_INET);
	cr_assert_gt(started.accepted_ns, 0);
	cr_assert_eq(write(client, "hello\n", 6), 6);
	cr_assert_str_eq(rig_read_all(client), "got hello\n");
	struct report ended = rig_report(&rig);
	cr_assert_eq(ended.kind, REPORT_ENDED);
	cr_assert_eq(ended.connection, 99);
	cr_assert_eq(ended.pid, started.pid);
	cr_assert_eq(ended.accepted_ns, started.accepted_ns);
	cr_assert(WIFEXITED(ended.status));
	cr_assert_eq(WEXITSTATUS(ended.status), 7);
	cr_assert_gt(ended.duration_us, 0);
	cr_assert_leq(ended.duration_us, (clock_now_ns() - ended.accepted_ns) / 1000);
	cr_assert_gt(ended.max_rss_kib, 0);
	fd_close(&client);
}

Test(worker_queue, reports_the_signal_that_ended_a_command)
{
	start_shell("kill -KILL $$");
	int client = rig_send(&rig, 1);
	cr_assert_eq(rig_report(&rig).kind, REPORT_STARTED);
	struct report ended = rig_report(&rig);
	cr_assert_eq(ended.kind, REPORT_ENDED);
	cr_assert(WIFSIGNALED(ended.status));
	cr_assert_eq(WTERMSIG(ended.status), SIGKILL);
	fd_close(&client);
}

Test(worker_queue, serves_many_at_once)
{
	enum { MANY = 200 };
	int clients[MANY];
	size_t n_started = 0, n_ended = 0;
	start_shell("read line; echo $line");
	for (uint64_t i = 0; i < MANY; i++)
		clients[i] = rig_send(&rig, i + 1);
	while (n_started < MANY) {
		struct report report = rig_report(&rig);
		cr_assert_eq(report.kind, REPORT_STARTED, "all must run before any is answered");
		n_started++;
	}
	size_t n_descriptors = rig_count_descriptors(rig.pid);
	cr_assert_leq(n_descriptors, 8, "the worker keeps %zu descriptors", n_descriptors);
	for (size_t i = 0; i < MANY; i++) {
		cr_assert_eq(write(clients[i], "x\n", 2), 2);
		cr_assert_str_eq(rig_read_all(clients[i]), "x\n");
		fd_close(&clients[i]);
	}
	while (n_ended < MANY) {
		cr_assert_eq(rig_report(&rig).kind, REPORT_ENDED);
		n_ended++;
	}
}

Test(worker_queue, tells_a_new_acceptor_what_is_running)
{
	start_shell("read line");
	int one = rig_send(&rig, 1);
	int two = rig_send(&rig, 2);
	cr_assert_eq(rig_report(&rig).kind, REPORT_STARTED);
	cr_assert_eq(rig_report(&rig).kind, REPORT_STARTED);
	fd_close(&one);
	cr_assert_eq(rig_report(&rig).kind, REPORT_ENDED);
	cr_assert_eq(kill(rig.pid, SIGUSR1), 0);
	struct report again = rig_report(&rig);
	cr_assert_eq(again.kind, REPORT_STARTED);
	cr_assert_eq(again.connection, 2);
	cr_assert_eq(again.peer.family, AF_INET);
	fd_close(&two);
	cr_assert_eq(rig_report(&rig).kind, REPORT_ENDED);
}

Test(worker_queue, a_client_that_has_reset_costs_no_process)
{
	int ends[2];
	struct linger at_once = { .l_onoff = 1 };
	start_shell("echo served");
	struct handoff record = rig_connect(ends);
	record.connection = 5;
	cr_assert_eq(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
	fd_close(&ends[0]);
	cr_assert_eq(handoff_send(rig.acceptor_end, &record, ends[1]), 0);
	fd_close(&ends[1]);
	struct report report = rig_report(&rig);
	cr_assert_eq(report.kind, REPORT_ENDED);
	cr_assert_eq(report.connection, 5);
	cr_assert_eq(report.pid, 0);
}

Test(worker_queue, a_client_that_has_said_all_is_served)
{
	int ends[2];
	start_shell("cat; echo served");
	struct handoff record = rig_connect(ends);
	cr_assert_eq(write(ends[0], "all\n", 4), 4);
	cr_assert_eq(shutdown(ends[0], SHUT_WR), 0);
	cr_assert_eq(handoff_send(rig.acceptor_end, &record, ends[1]), 0);
	fd_close(&ends[1]);
	cr_assert_str_eq(rig_read_all(ends[0]), "all\nserved\n");
	fd_close(&ends[0]);
}

Test(worker_queue, messages_that_are_no_connections_harm_nothing)
{
	int many[DESCRIPTOR_MAX];
	char junk[500] = "junk";
	start_shell("echo served");
	for (size_t i = 0; i < DESCRIPTOR_MAX; i++)
		many[i] = STDIN_FILENO;
	int client = rig_send(&rig, 1);
	cr_assert_str_eq(rig_read_all(client), "served\n");
	size_t n_before = rig_count_descriptors(rig.pid);
	fd_close(&client);
	cr_assert_eq(descriptor_send(rig.acceptor_end, junk, sizeof junk, NULL, 0), 0);
	cr_assert_eq(descriptor_send(rig.acceptor_end, "", 1, NULL, 0), 0);
	cr_assert_eq(send(rig.acceptor_end, "", 0, 0), 0);
	cr_assert_eq(descriptor_send(rig.acceptor_end, junk, sizeof junk, many, 2), 0);
	cr_assert_eq(descriptor_send(rig.acceptor_end, "", 1, many, DESCRIPTOR_MAX), 0);
	client = rig_send(&rig, 2);
	cr_assert_str_eq(rig_read_all(client), "served\n");
	cr_assert_eq(rig_count_descriptors(rig.pid), n_before);
	cr_assert_eq(rig_count_log(&rig, "was no connection"), 1, "said once an episode");
	fd_close(&client);
}

Test(worker_queue, reports_wait_for_an_acceptor_that_does_not_read)
{
	enum { MANY = 3000 };
	size_t n[REPORT_EXEC_FAILED + 1] = { 0 };
	const char *const words[] = { "--", "/bin/true", "true", NULL };
	rig_start(&rig, true, words, 0);
	for (uint64_t i = 1; i <= MANY; i++) {
		int client = rig_send(&rig, i);
		cr_assert_str_eq(rig_read_all(client), "", "served although nobody reads reports");
		fd_close(&client);
	}
	for (uint64_t i = 0; i < 2 * MANY; i++) {
		struct report report = rig_report(&rig);
		n[report.kind]++;
		if (report.kind == REPORT_STARTED)
			cr_assert_eq(
				report.connection, n[REPORT_STARTED], "in order, none missing");
	}
	cr_assert_eq(n[REPORT_STARTED], MANY);
	cr_assert_eq(n[REPORT_ENDED], MANY);
}

Test(worker_queue, connections_in_the_queue_outlive_the_worker)
{
	enum { MANY = 20 };
	struct worker_rig second;
	int clients[MANY];
	const char *const words[] = { "--", "/bin/sh", "sh", "-c", "echo $PPID", NULL };
	rig_start(&rig, true, words, 0);
	int client = rig_send(&rig, 1);
	cr_assert_eq(strtol(rig_read_all(client), NULL, 10), rig.pid);
	fd_close(&client);
	cr_assert_eq(kill(rig.pid, SIGSTOP), 0);
	for (uint64_t i = 0; i < MANY; i++)
		clients[i] = rig_send(&rig, i);
	cr_assert_eq(kill(rig.pid, SIGKILL), 0);
	rig_wait(&rig);
	rig_join(&second, &rig, words);
	for (size_t i = 0; i < MANY; i++) {
		cr_assert_eq(strtol(rig_read_all(clients[i]), NULL, 10), second.pid);
		fd_close(&clients[i]);
	}
	rig_stop(&second);
}

Test(worker_queue, two_workers_share_a_queue)
{
	struct worker_rig second;
	const char *const words[] = { "--", "/bin/sh", "sh", "-c", "echo $PPID", NULL };
	rig_start(&rig, true, words, 0);
	rig_join(&second, &rig, words);
	for (int i = 0; i < 2; i++) {
		/* What one cannot take, the other does. */
		pid_t idle = i ? rig.pid : second.pid, taking = i ? second.pid : rig.pid;
		cr_assert_eq(kill(idle, SIGSTOP), 0);
		for (int j = 0; j < 10; j++) {
			int client = rig_send(&rig, 1);
			cr_assert_eq(strtol(rig_read_all(client), NULL, 10), taking);
			fd_close(&client);
		}
		cr_assert_eq(kill(idle, SIGCONT), 0);
	}
	rig_stop(&second);
}

/* ---- slots ----------------------------------------------------------------------------------- */

static struct slots slots;

/* With a table of slots as descriptor 4. */
static void start_with_slots(const char *program, const char *script)
{
	const char *const words[] = { "--slots", "4", "--", program, "sh", "-c", script, NULL };
	int table = slots_create(16);
	cr_assert_geq(table, 0);
	cr_assert_eq(slots_map(table, &slots), 0);
	rig_start_program(&rig, NULL, table, true, words, 0);
	close(table);
}

static int offer(uint64_t connection, struct handoff *ret_record)
{
	int ends[2];
	*ret_record = rig_connect(ends);
	ret_record->connection = connection;
	ret_record->slot = 1;
	ret_record->turn = slots_offer(&slots, 1, connection);
	cr_assert_eq(handoff_send(rig.acceptor_end, ret_record, ends[1]), 0);
	fd_close(&ends[1]);
	return ends[0];
}

Test(worker_queue, the_command_itself_begins_with_a_connection)
{
	struct handoff record;
	start_with_slots("/bin/sh", "read line; echo got $line");
	int client = offer(99, &record);
	struct report started = rig_report(&rig);
	cr_assert_eq(started.kind, REPORT_STARTED);
	struct slot_view view = slots_look(&slots, 1);
	cr_assert_eq(view.state, SLOT_BEGUN);
	cr_assert_eq(view.pid, started.pid);
	cr_assert_eq(write(client, "hello\n", 6), 6);
	cr_assert_str_eq(rig_read_all(client), "got hello\n");
	fd_close(&client);
}

Test(worker_queue, leaves_a_connection_alone_that_was_given_to_another)
{
	struct handoff record;
	int ends[2];
	start_with_slots("/bin/sh", "echo hello");
	/* What it gets is of an old turn. */
	record = rig_connect(ends);
	record.connection = 7;
	record.slot = 2;
	record.turn = slots_offer(&slots, 2, 7);
	struct slot_view look = slots_look(&slots, 2);
	uint16_t turn;
	cr_assert(slots_take_back(&slots, 2, &look, &turn));
	cr_assert_eq(handoff_send(rig.acceptor_end, &record, ends[1]), 0);
	fd_close(&ends[1]);
	cr_assert_str_eq(rig_read_all(ends[0]), "");
	cr_assert_eq(slots_look(&slots, 2).state, SLOT_QUEUED);
	/* The only report is of the next one. */
	int client = offer(99, &record);
	cr_assert_str_eq(rig_read_all(client), "hello\n");
	cr_assert_eq(rig_report(&rig).connection, 99);
	fd_close(&ends[0]);
	fd_close(&client);
}

Test(worker_queue, has_not_begun_what_cannot_be_executed)
{
	struct handoff record;
	start_with_slots("/nowhere/sh", "");
	int client = offer(99, &record);
	cr_assert_eq(rig_report(&rig).kind, REPORT_EXEC_FAILED);
	struct slot_view view = slots_look(&slots, 1);
	cr_assert_eq(view.state, SLOT_CLAIMED);
	cr_assert_eq(view.pid, rig.pid);
	fd_close(&client);
}
