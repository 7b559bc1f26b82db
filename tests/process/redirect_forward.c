/* What fdsup-redirect passes on: every byte, each end by itself, resets, and how much it was. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "support/target_rig.h"

static struct target_rig rig;

static void stop(void)
{
	target_stop(&rig);
}

TestSuite(redirect_forward, .fini = stop, .timeout = 120);

static void connect_through(int *ret_client, int *ret_target)
{
	if (!rig.worker.pid)
		target_start(&rig, "127.0.0.1", NULL);
	*ret_client = target_client(&rig);
	*ret_target = target_accept(&rig);
	cr_assert_eq(target_report(&rig, REPORT_TAKEN).connection, rig.n_sent);
}

Test(redirect_forward, passes_on_what_both_sides_say)
{
	int client, target;
	connect_through(&client, &target);
	target_send(client, "question");
	target_expect(target, "question");
	target_send(target, "answer");
	target_expect(client, "answer");
	target_send(client, "again");
	target_expect(target, "again");
	fd_close(&client);
	cr_assert_eq(target_end(target), 0);
	fd_close(&target);
	struct report ended = target_report(&rig, REPORT_ENDED);
	cr_assert_eq(ended.status, 0);
	cr_assert_eq(ended.pid, rig.worker.pid);
	cr_assert_eq(ended.bytes_in, 13);
	cr_assert_eq(ended.bytes_out, 6);
}

Test(redirect_forward, a_client_that_has_ended_still_gets_its_answer)
{
	int client, target;
	connect_through(&client, &target);
	target_send(client, "all of it");
	shutdown(client, SHUT_WR);
	target_expect(target, "all of it");
	cr_assert_eq(target_end(target), 0);
	target_send(target, "thanks");
	target_expect(client, "thanks");
	target_send(target, ", bye");
	fd_close(&target);
	target_expect(client, ", bye");
	cr_assert_eq(target_end(client), 0);
	fd_close(&client);
	cr_assert_eq(target_report(&rig, REPORT_ENDED).bytes_out, 11);
}

Test(redirect_forward, a_target_that_has_ended_still_gets_the_rest)
{
	int client, target;
	connect_through(&client, &target);
	target_send(target, "tell me");
	shutdown(target, SHUT_WR);
	target_expect(client, "tell me");
	cr_assert_eq(target_end(client), 0);
	target_send(client, "a long story");
	fd_close(&client);
	target_expect(target, "a long story");
	cr_assert_eq(target_end(target), 0);
	fd_close(&target);
	cr_assert_eq(target_report(&rig, REPORT_ENDED).bytes_in, 12);
}

Test(redirect_forward, a_reset_of_the_client_reaches_the_target)
{
	int client, target;
	connect_through(&client, &target);
	target_send(client, "x");
	target_expect(target, "x");
	target_reset(&client);
	cr_assert_eq(target_end(target), ECONNRESET);
	target_report(&rig, REPORT_ENDED);
	fd_close(&target);
}

Test(redirect_forward, a_reset_of_the_target_reaches_the_client)
{
	int client, target;
	connect_through(&client, &target);
	target_send(target, "x");
	target_expect(client, "x");
	target_reset(&target);
	cr_assert_eq(target_end(client), ECONNRESET);
	target_report(&rig, REPORT_ENDED);
	fd_close(&client);
}

Test(redirect_forward, an_answer_to_a_request_that_was_not_read_to_its_end_arrives)
{
	int client, target;
	connect_through(&client, &target);
	target_send(client, "request");
	target_expect(target, "request");
	target_send(client, "more that nobody wants");
	cr_assert(rig_is_readable(target, RIG_TIMEOUT_MS));
	target_send(target, "no");
	shutdown(target, SHUT_WR);
	target_expect(client, "no");
	cr_assert_eq(target_end(client), 0);
	fd_close(&target);
	fd_close(&client);
	target_report(&rig, REPORT_ENDED);
}

/* ---- much of it ------------------------------------------------------------------------------ */

enum { MANY_BYTES = 100 << 20, CHUNK = 1 << 16 };

/* Byte number i of a stream; differs from a shifted or repeated one. */
static void fill_pattern(unsigned char *bytes, size_t n, size_t position, unsigned salt)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = position + i;
		bytes[i] = (unsigned char)((at * 2654435761U >> 13) + at / 251 + salt);
	}
}

struct stream_job {
	int fd;
	unsigned salt;
	size_t n_bytes;
	bool is_good;
};

static void *send_pattern(void *data)
{
	struct stream_job *job = data;
	static _Thread_local unsigned char bytes[CHUNK];
	for (size_t position = 0; position < job->n_bytes; position += CHUNK) {
		fill_pattern(bytes, CHUNK, position, job->salt);
		for (size_t n = 0; n < CHUNK;) {
			ssize_t r = send(job->fd, bytes + n, CHUNK - n, MSG_NOSIGNAL);
			if (r <= 0)
				return NULL;
			n += (size_t)r;
		}
	}
	shutdown(job->fd, SHUT_WR);
	job->is_good = true;
	return NULL;
}

static void *check_pattern(void *data)
{
	struct stream_job *job = data;
	static _Thread_local unsigned char got[CHUNK], wanted[CHUNK];
	size_t position = 0;
	ssize_t n;
	while ((n = recv(job->fd, got, CHUNK, 0)) > 0) {
		fill_pattern(wanted, (size_t)n, position, job->salt);
		if (memcmp(got, wanted, (size_t)n))
			return NULL;
		position += (size_t)n;
	}
	job->is_good = n == 0 && position == job->n_bytes;
	return NULL;
}

Test(redirect_forward, a_hundred_megabytes_go_both_ways_byte_for_byte)
{
	int client, target;
	connect_through(&client, &target);
	struct stream_job jobs[4] = {
		{ .fd = client, .salt = 1, .n_bytes = MANY_BYTES },
		{ .fd = target, .salt = 1, .n_bytes = MANY_BYTES },
		{ .fd = target, .salt = 77, .n_bytes = MANY_BYTES },
		{ .fd = client, .salt = 77, .n_bytes = MANY_BYTES },
	};
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, i % 2 ? check_pattern : send_pattern,
				     &jobs[i]),
			0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 4; i++)
		cr_assert(jobs[i].is_good, "stream %d", i);
	struct report ended = target_report(&rig, REPORT_ENDED);
	cr_assert_eq(ended.bytes_in, MANY_BYTES);
	cr_assert_eq(ended.bytes_out, MANY_BYTES);
	fd_close(&client);
	fd_close(&target);
}

/* Until nothing more goes for a moment. */
static size_t send_until_full(int fd)
{
	static unsigned char bytes[CHUNK];
	size_t n_sent = 0;
	struct timeval patience = { .tv_usec = 300000 };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	for (;;) {
		fill_pattern(bytes, CHUNK, n_sent, 0);
		ssize_t n = send(fd, bytes, CHUNK, MSG_NOSIGNAL);
		if (n <= 0)
			return n_sent;
		n_sent += (size_t)n;
		cr_assert_lt(n_sent, 64 << 20, "nobody reads it, so it is kept in memory");
		if (n < CHUNK)
			return n_sent;
	}
}

Test(redirect_forward, a_target_that_does_not_read_makes_the_client_wait)
{
	int client, target;
	connect_through(&client, &target);
	size_t n_sent = send_until_full(client);
	/* The other direction does not wait for it. */
	target_send(target, "meanwhile");
	target_expect(client, "meanwhile");
	shutdown(client, SHUT_WR);
	struct stream_job job = { .fd = target, .n_bytes = n_sent };
	check_pattern(&job);
	cr_assert(job.is_good);
	fd_close(&target);
	cr_assert_eq(target_report(&rig, REPORT_ENDED).bytes_in, n_sent);
	fd_close(&client);
}

Test(redirect_forward, urgent_data_is_passed_on_in_its_place)
{
	int client, target;
	struct rusage usage;
	connect_through(&client, &target);
	target_send(client, "before");
	cr_assert_eq(send(client, "!", 1, MSG_OOB), 1);
	target_send(client, "after");
	target_expect(target, "before!after");
	fd_close(&client);
	cr_assert_eq(target_end(target), 0);
	fd_close(&target);
	target_report(&rig, REPORT_ENDED);
	kill(rig.worker.pid, SIGTERM);
	cr_assert_eq(rig_wait(&rig.worker), 0);
	getrusage(RUSAGE_CHILDREN, &usage);
	cr_assert_lt(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec, 5, "it spun");
}

Test(redirect_forward, serves_two_hundred_at_once)
{
	enum { MANY = 200 };
	int clients[MANY], targets[MANY];
	char text[16];
	for (int i = 0; i < MANY; i++)
		connect_through(&clients[i], &targets[i]);
	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "number %d\n", i);
		target_send(clients[i], text);
	}
	for (int i = MANY - 1; i >= 0; i--) {
		snprintf(text, sizeof text, "number %d\n", i);
		target_expect(targets[i], text);
		target_send(targets[i], text);
		target_expect(clients[i], text);
	}
	for (int i = 0; i < MANY; i++) {
		fd_close(&clients[i]);
		fd_close(&targets[i]);
	}
	for (int i = 0; i < MANY; i++)
		target_report(&rig, REPORT_ENDED);
}

Test(redirect_forward, idle_connections_have_two_descriptors_each)
{
	enum { MANY = 50 };
	int clients[MANY], targets[MANY];
	size_t n_before = 0;
	for (int i = 0; i < MANY; i++) {
		connect_through(&clients[i], &targets[i]);
		target_send(clients[i], "x");
		target_expect(targets[i], "x");
		if (i == 0)
			n_before = rig_count_descriptors(rig.worker.pid);
	}
	cr_assert_eq(rig_count_descriptors(rig.worker.pid), n_before + 2 * (MANY - 1));
	for (int i = 0; i < MANY; i++) {
		fd_close(&clients[i]);
		fd_close(&targets[i]);
	}
}

Test(redirect_forward, leaves_no_descriptor_behind)
{
	int client, target;
	size_t n_before = 0;
	for (int i = 0; i < 2000; i++) {
		connect_through(&client, &target);
		target_send(client, "x");
		if (i % 4 == 1)
			target_reset(&client);
		else if (i % 4 == 2)
			target_reset(&target);
		fd_close(&client);
		fd_close(&target);
		target_report(&rig, REPORT_ENDED);
		if (i == 10)
			n_before = rig_count_descriptors(rig.worker.pid);
	}
	/* A spare pipe or two may have come. */
	cr_assert_leq(rig_count_descriptors(rig.worker.pid), n_before + 4);
}

/* ---- Unix targets ---------------------------------------------------------------------------- */

static void listen_on_unix(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t length = strlen(name);
	memcpy(un.sun_path, name, length);
	if (name[0] == '@')
		un.sun_path[0] = 0;
	rig.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	cr_assert_eq(bind(rig.listener, (struct sockaddr *)&un, size), 0);
	cr_assert_eq(listen(rig.listener, 1), 0);
}

static void expect_conversation(void)
{
	int client, target;
	connect_through(&client, &target);
	target_send(client, "question");
	shutdown(client, SHUT_WR);
	target_expect(target, "question");
	cr_assert_eq(target_end(target), 0);
	target_send(target, "answer");
	fd_close(&target);
	target_expect(client, "answer");
	cr_assert_eq(target_end(client), 0);
	fd_close(&client);
	cr_assert_eq(target_report(&rig, REPORT_ENDED).bytes_out, 6);
}

Test(redirect_forward, a_target_may_be_a_unix_socket_with_a_path)
{
	char path[200], to[220];
	const char *directory = rig_directory();
	snprintf(path, sizeof path, "%s/socket", directory);
	snprintf(to, sizeof to, "unix:%s", path);
	listen_on_unix(path);
	target_start_to(&rig, to, NULL, 0);
	expect_conversation();
	rig_remove(directory);
}

Test(redirect_forward, a_target_may_be_an_abstract_unix_socket)
{
	char name[64], to[80];
	snprintf(name, sizeof name, "@fdsup-test-%d", (int)getpid());
	snprintf(to, sizeof to, "unix:%s", name);
	listen_on_unix(name);
	target_start_to(&rig, to, NULL, 0);
	expect_conversation();
}

Test(redirect_forward, a_full_backlog_of_a_unix_target_is_waited_for)
{
	enum { MANY = 10 };
	int clients[MANY];
	char name[64], to[80];
	snprintf(name, sizeof name, "@fdsup-test-%d", (int)getpid());
	snprintf(to, sizeof to, "unix:%s", name);
	listen_on_unix(name); /* room for two */
	target_start_to(&rig, to, NULL, 0);
	for (int i = 0; i < MANY; i++) {
		clients[i] = target_client(&rig);
		target_report(&rig, REPORT_TAKEN);
	}
	for (int i = 0; i < MANY; i++) {
		int target = target_accept(&rig);
		target_send(target, "welcome");
		fd_close(&target);
	}
	for (int i = 0; i < MANY; i++) {
		target_expect(clients[i], "welcome");
		fd_close(&clients[i]);
	}
	cr_assert_eq(rig_count_log(&rig.worker, "cannot connect"), 0);
}
