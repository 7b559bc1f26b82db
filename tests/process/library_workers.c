/* The example workers behind a real acceptor: in one loop, in Python, prefork, and by hand. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "support/acceptor_rig.h"
#include "support/example.h"

enum { MANY = 300 };

static const char request[] = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";

static struct rig rig;

static void start_acceptor(void)
{
	rig_start(&rig);
}

static void stop_acceptor(void)
{
	rig_stop(&rig);
}

TestSuite(library_workers, .init = start_acceptor, .fini = stop_acceptor, .timeout = 120);

static uint16_t serve(unsigned depth)
{
	struct control_service settings = rig_settings(0);
	settings.queue_depth = depth;
	return rig_serve(&rig, &settings);
}

static pid_t start(const char *program, const char *argument)
{
	const char *const words[] = { program, argument, NULL };
	return example_start(rig.services[0].queue[1], -1, -1, words);
}

Test(library_workers, one_loop_holds_many_connections)
{
	static int clients[MANY];
	uint16_t port = serve(64);
	pid_t worker = start(example_path("worker-http"), NULL);
	for (int i = 0; i < MANY; i++)
		clients[i] = rig_connect(port, NULL);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < MANY; i++)
			cr_assert_not_null(strstr(
				example_ask(clients[i], request, " connections\n"), "200 OK"));
	const char *answer = example_ask(clients[0], request, " connections\n");
	cr_assert_not_null(strstr(answer, "hello, 127.0.0.1:"));
	cr_assert_not_null(strstr(answer, ", 300 connections"), "%s", answer);
	cr_assert_not_null(strstr(example_ask(clients[0], "PUT / HTTP/1.1\r\n\r\n", NULL), "405"));
	/* It takes no more, and stays until its clients have gone. */
	kill(worker, SIGTERM);
	answer = example_ask(clients[1], request, NULL);
	cr_assert_not_null(strstr(answer, "200 OK"));
	for (int i = 0; i < MANY; i++)
		close(clients[i]);
	cr_assert_eq(example_wait(worker), 0);
	rig_wait_score(&rig, 0, served, MANY);
	cr_assert_eq(rig_score(&rig, 0, failed), 0);
	cr_assert_eq(rig_score(&rig, 0, live), 0);
}

Test(library_workers, the_successor_takes_what_one_that_was_stopped_left)
{
	uint16_t port = serve(64);
	pid_t first = start(example_path("worker-http"), NULL);
	int early = rig_connect(port, NULL);
	example_ask(early, request, " connections\n");
	kill(first, SIGTERM);
	close(early);
	cr_assert_eq(example_wait(first), 0);
	int late = rig_connect(port, NULL);
	rig_wait_score(&rig, 0, waiting, 1);
	pid_t second = start(example_path("worker-http"), NULL);
	cr_assert_not_null(strstr(example_ask(late, request, " connections\n"), "200 OK"));
	close(late);
	kill(second, SIGTERM);
	cr_assert_eq(example_wait(second), 0);
}

Test(library_workers, python_needs_no_library)
{
	int clients[20];
	uint16_t port = serve(64);
	pid_t worker = start(example_script("worker-http.py"), NULL);
	for (int i = 0; i < 20; i++)
		clients[i] = rig_connect(port, NULL);
	for (int i = 0; i < 20; i++) {
		cr_assert_not_null(strstr(example_ask(clients[i], request, NULL), "hello, 127."));
		close(clients[i]);
	}
	kill(worker, SIGTERM);
	cr_assert_eq(example_wait(worker), 0);
}

Test(library_workers, prefork_children_share_the_queue)
{
	int clients[4];
	uint16_t port = serve(64);
	pid_t worker = start(example_path("worker-prefork"), "4");
	for (int i = 0; i < 4; i++)
		clients[i] = rig_connect(port, NULL);
	/* Each child serves one client at a time: all four are served, so four children took them.
	 */
	for (int i = 0; i < 4; i++)
		cr_assert_str_eq(example_ask(clients[i], "hello\n", "\n"), "HELLO\n");
	int fifth = rig_connect(port, NULL);
	close(clients[2]);
	cr_assert_str_eq(example_ask(fifth, "more\n", "\n"), "MORE\n");
	close(fifth);
	for (int i = 0; i < 4; i++)
		if (i != 2)
			close(clients[i]);
	rig_wait_score(&rig, 0, served, 5);
	kill(worker, SIGTERM);
	cr_assert_eq(example_wait(worker), 0);
}

Test(library_workers, unknown_and_slot_reports_change_nothing)
{
	serve(64);
	struct report reports[2] = {
		{ .kind = REPORT_SLOTS, .version = REPORT_VERSION, .length = sizeof *reports },
		{ .kind = 200, .version = REPORT_VERSION, .length = sizeof *reports },
	};
	cr_assert_eq(report_send(rig.services[0].queue[1], reports, 2), 0);
	rig_sync(&rig);
	fd_close(&rig.control);
	rig_read_log(&rig);
	cr_assert_null(strstr(rig.log, "makes no sense"), "%s", rig.log);
	cr_assert_eq(rig_wait_end(&rig), 0);
}

/* The same programs without a supervisor, behind "fdsup-acceptor ADDRESS PORT SOCKET". */

static uint16_t read_port(int log)
{
	char text[256];
	ssize_t n;
	size_t length = 0;
	static const char words[] = "listening on 127.0.0.1:";
	char *found;
	do {
		n = read(log, text + length, sizeof text - 1 - length);
		cr_assert_gt(n, 0);
		length += (size_t)n;
		text[length] = 0;
		found = strstr(text, words);
	} while (!found || !strchr(found, '\n'));
	return (uint16_t)atoi(found + strlen(words));
}

static void serve_by_hand(const char *program)
{
	char directory[] = "/tmp/fdsup-example-XXXXXX";
	char socket_name[64];
	char acceptor_path[4096];
	int log[2];
	cr_assert_not_null(mkdtemp(directory));
	snprintf(socket_name, sizeof socket_name, "%s/worker", directory);
	snprintf(acceptor_path, sizeof acceptor_path, "%s/fdsup-acceptor", getenv("FDSUP_BIN"));
	cr_assert_eq(pipe2(log, O_CLOEXEC), 0);
	const char *const words[] = { program, socket_name, NULL };
	const char *const acceptor_words[] = { acceptor_path, "127.0.0.1", "0", socket_name, NULL };
	pid_t worker = example_start(-1, -1, -1, words);
	pid_t acceptor = example_start(-1, log[1], log[1], acceptor_words);
	close(log[1]);
	uint16_t port = read_port(log[0]);
	for (int i = 0; i < 10; i++) {
		int client = rig_connect(port, NULL);
		cr_assert_not_null(strstr(example_ask(client, request, "connections\n"), "hello,"));
		close(client);
	}
	kill(worker, SIGTERM);
	cr_assert_eq(example_wait(worker), 0);
	kill(acceptor, SIGTERM);
	cr_assert_eq(example_wait(acceptor), 0);
	/* The socket file is gone with its owner. */
	cr_assert_eq(rmdir(directory), 0);
	close(log[0]);
}

Test(library_by_hand, in_c, .timeout = 120)
{
	serve_by_hand(example_path("worker-http"));
}

Test(library_by_hand, in_python, .timeout = 120)
{
	serve_by_hand(example_script("worker-http.py"));
}
