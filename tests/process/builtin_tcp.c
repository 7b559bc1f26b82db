/* The small services by TCP, as RFC 862, 863, 864, 867 and 868 want them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "support/worker_rig.h"

static struct worker_rig rig;
static int client = -1;

static void start(const char *protocol, const char *option, const char *value)
{
	const char *words[] = { option ? option : protocol, value, protocol, NULL };
	if (!option)
		words[1] = NULL;
	rig_start_program(&rig, "fdsup-builtin", -1, true, words, 0);
}

static void start_and_connect(const char *protocol)
{
	start(protocol, NULL, NULL);
	client = rig_send(&rig, 1);
	cr_assert_eq(rig_report(&rig).kind, REPORT_TAKEN);
}

static void stop(void)
{
	rig_stop(&rig);
	fd_close(&client);
}

TestSuite(builtin_tcp, .fini = stop, .timeout = 60);

static void send_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
		cr_assert_gt(n, 0, "%s", strerror(errno));
		bytes += n;
		size -= (size_t)n;
	}
}

static void receive_all(int fd, char *bytes, size_t size)
{
	while (size > 0) {
		cr_assert(rig_is_readable(fd, RIG_TIMEOUT_MS), "%zu bytes do not come", size);
		ssize_t n = recv(fd, bytes, size, 0);
		cr_assert_gt(n, 0, "the end, %zu bytes too early", size);
		bytes += n;
		size -= (size_t)n;
	}
}

static struct report expect_ended(void)
{
	struct report ended = rig_report(&rig);
	cr_assert_eq(ended.kind, REPORT_ENDED);
	cr_assert_eq(ended.pid, rig.pid);
	return ended;
}

Test(builtin_tcp, echo_sends_back_all_that_came_before_the_end)
{
	start_and_connect("echo");
	send_all(client, "hello\r\nworld", 12);
	shutdown(client, SHUT_WR);
	cr_assert_str_eq(rig_read_all(client), "hello\r\nworld");
	struct report ended = expect_ended();
	cr_assert_eq(ended.status, 0);
	cr_assert_eq(ended.bytes_in, 12);
	cr_assert_eq(ended.bytes_out, 12);
}

/* Sends until nothing more goes for a moment. */
static size_t send_until_full(int fd)
{
	static char bytes[65536];
	size_t n_sent = 0;
	struct timeval patience = { .tv_usec = 300000 };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	for (;;) {
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)((n_sent + i) / 257);
		ssize_t n = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
		if (n <= 0)
			return n_sent;
		n_sent += (size_t)n;
		cr_assert_lt(n_sent, 64 << 20, "nobody reads it, so it is kept in memory");
		if ((size_t)n < sizeof bytes)
			return n_sent;
	}
}

Test(builtin_tcp, echo_to_a_client_that_does_not_read_waits_and_loses_nothing)
{
	static char got[65536];
	start_and_connect("echo");
	size_t n_sent = send_until_full(client);
	shutdown(client, SHUT_WR);
	size_t position = 0;
	ssize_t n;
	while (rig_is_readable(client, RIG_TIMEOUT_MS) &&
		(n = recv(client, got, sizeof got, 0)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (got[i] != (char)((position + (size_t)i) / 257))
				cr_assert_fail("byte %zu is wrong", position + (size_t)i);
		position += (size_t)n;
	}
	cr_assert_eq(position, n_sent);
	cr_assert_eq(expect_ended().bytes_out, n_sent);
}

Test(builtin_tcp, echo_serves_others_while_one_does_not_read)
{
	char answer[5];
	start_and_connect("echo");
	send_until_full(client);
	int other = rig_send(&rig, 2);
	send_all(other, "hello", 5);
	receive_all(other, answer, 5);
	cr_assert_eq(memcmp(answer, "hello", 5), 0);
	fd_close(&other);
}

Test(builtin_tcp, discard_says_nothing_and_ends_with_the_client)
{
	static const char bytes[100000];
	start_and_connect("discard");
	for (int i = 0; i < 20; i++)
		send_all(client, bytes, sizeof bytes);
	shutdown(client, SHUT_WR);
	cr_assert_str_eq(rig_read_all(client), "");
	struct report ended = expect_ended();
	cr_assert_eq(ended.bytes_in, 2000000);
	cr_assert_eq(ended.bytes_out, 0);
}

Test(builtin_tcp, chargen_sends_the_pattern_of_the_rfc)
{
	static char got[74 * 200];
	start_and_connect("chargen");
	receive_all(client, got, sizeof got);
	cr_assert_eq(memcmp(got,
			     " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_"
			     "`abcdefg\r\n"
			     "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
			     "abcdefgh\r\n",
			     148),
		0);
	/* 95 lines later it is the same. */
	cr_assert_eq(memcmp(got, got + 74 * 95, 74 * 100), 0);
	fd_close(&client);
	expect_ended();
}

Test(builtin_tcp, chargen_goes_on_for_a_client_that_has_ended_its_own_direction)
{
	static char got[500000];
	start_and_connect("chargen");
	send_all(client, "ignored", 7);
	shutdown(client, SHUT_WR);
	for (int i = 0; i < 20; i++)
		receive_all(client, got, sizeof got);
	fd_close(&client);
	cr_assert_geq(expect_ended().bytes_out, 10000000);
}

static size_t resident_kib(pid_t pid)
{
	char path[64], line[256];
	size_t kib = 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	cr_assert_not_null(file);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "VmRSS: %zu", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

Test(builtin_tcp, chargen_to_clients_that_do_not_read_costs_no_memory)
{
	enum { MANY = 200 };
	int clients[MANY];
	start_and_connect("chargen");
	size_t before_kib = resident_kib(rig.pid);
	for (int i = 0; i < MANY; i++)
		clients[i] = rig_send(&rig, 2 + (uint64_t)i);
	for (int i = 0; i < MANY; i++)
		cr_assert(rig_is_readable(clients[i], RIG_TIMEOUT_MS));
#ifdef __SANITIZE_ADDRESS__
	size_t more_kib = 16 * 1024; /* its shadows of what is touched for the first time */
#else
	size_t more_kib = 1024;
#endif
	cr_assert_leq(resident_kib(rig.pid), before_kib + more_kib);
	for (int i = 0; i < MANY; i++)
		fd_close(&clients[i]);
}

Test(builtin_tcp, daytime_is_one_line_and_then_the_end)
{
	struct tm parsed = { 0 };
	start_and_connect("daytime");
	time_t before = time(NULL);
	const char *line = rig_read_all(client);
	const char *end = strptime(line, "%A, %B %d, %Y %H:%M:%S-", &parsed);
	cr_assert_not_null(end, "%s", line);
	cr_assert_str_eq(line + strlen(line) - 2, "\r\n");
	parsed.tm_isdst = -1;
	cr_assert_leq(mktime(&parsed) - before, 5);
	cr_assert_geq(mktime(&parsed) - before, -1);
	fd_close(&client);
	cr_assert_eq(expect_ended().status, 0);
}

Test(builtin_tcp, daytime_throws_away_what_the_client_says)
{
	static const char bytes[50000];
	start_and_connect("daytime");
	send_all(client, bytes, sizeof bytes);
	cr_assert_str_neq(rig_read_all(client), "", "a reset would have lost the answer");
	fd_close(&client);
	cr_assert_eq(expect_ended().bytes_in, sizeof bytes);
}

Test(builtin_tcp, time_is_seconds_since_1900_in_four_bytes)
{
	unsigned char bytes[4], more;
	start_and_connect("time");
	receive_all(client, (char *)bytes, 4);
	uint32_t seconds = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
			   (uint32_t)bytes[2] << 8 | bytes[3];
	uint32_t now = (uint32_t)time(NULL) + 2208988800U;
	cr_assert_leq(now - seconds, 5);
	cr_assert_eq(recv(client, &more, 1, 0), 0);
}

Test(builtin_tcp, an_idle_client_is_ended)
{
	start("echo", "--idle-timeout", "300");
	uint64_t before_ms = clock_now_ms();
	client = rig_send(&rig, 1);
	cr_assert_str_eq(rig_read_all(client), "");
	cr_assert_geq(clock_now_ms() - before_ms, 290);
}

Test(builtin_tcp, a_client_that_is_answered_and_does_not_close_is_ended)
{
	start("time", "--idle-timeout", "300");
	client = rig_send(&rig, 1);
	cr_assert_eq(rig_report(&rig).kind, REPORT_TAKEN);
	expect_ended();
}

Test(builtin_tcp, a_reset_is_an_end)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	start_and_connect("echo");
	setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	fd_close(&client);
	expect_ended();
}

Test(builtin_tcp, leaves_no_descriptor_behind)
{
	start_and_connect("echo");
	size_t n_before = rig_count_descriptors(rig.pid);
	for (uint64_t i = 2; i <= 2000; i++) {
		char answer;
		int other = rig_send(&rig, i);
		send_all(other, "x", 1);
		receive_all(other, &answer, 1);
		fd_close(&other);
		cr_assert_eq(rig_report(&rig).kind, REPORT_TAKEN);
		expect_ended();
	}
	/* The last one is closed a moment after it is reported. */
	cr_assert_leq(rig_count_descriptors(rig.pid), n_before + 1);
}

Test(builtin_tcp, a_stop_ends_the_connections)
{
	start_and_connect("chargen");
	kill(rig.pid, SIGTERM);
	cr_assert_eq(rig_wait(&rig), 0);
	struct report ended = rig_report(&rig);
	cr_assert_eq(ended.kind, REPORT_ENDED);
	cr_assert_eq(ended.status, SIGTERM);
}

Test(builtin_tcp, a_drain_lets_connections_finish)
{
	start_and_connect("echo");
	kill(rig.pid, SIGHUP);
	kill(rig.pid, SIGUSR1);
	cr_assert_eq(rig_report(&rig).kind, REPORT_TAKEN);
	send_all(client, "last", 4);
	shutdown(client, SHUT_WR);
	cr_assert_str_eq(rig_read_all(client), "last");
	cr_assert_eq(rig_wait(&rig), 0);
}

Test(builtin_tcp, a_wrong_command_line_is_explained)
{
	start("qotd", NULL, NULL);
	cr_assert_eq(WEXITSTATUS(rig_wait(&rig)), EX_USAGE);
	rig_expect_log(&rig, "qotd is none of echo, discard, chargen, daytime and time");
	rig_stop(&rig);
	const char *const words[] = { "--udp", "3", "--service", "test", "echo", NULL };
	rig_start_program(&rig, "fdsup-builtin", STDERR_FILENO, false, words, 0);
	cr_assert_eq(WEXITSTATUS(rig_wait(&rig)), 1);
	rig_expect_log(&rig, "--udp 3: ");
}
