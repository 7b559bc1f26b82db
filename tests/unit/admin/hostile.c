/* What no client can do to the server, or to the other clients. */
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>

#include "base/fd.h"

TestSuite(admin_hostile, .init = start_server, .fini = stop_server, .timeout = 60);

static unsigned count_fds(void)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

Test(admin_hostile, nonsense_ends_its_connection_only)
{
	static const char *const requests[] = { "", " ", "nonsense", "[]", "1", "null", "\"x\"",
		"{", "{}", "{\"method\":1}", "{\"method\":null}",
		"{\"method\":\"a.b\",\"method\":\"a.b\"}",
		"{\"method\":\"org.fdsup.Echo\",\"parameters\":[]}",
		"{\"method\":\"org.fdsup.Echo\",\"parameters\":1}",
		"{\"method\":\"org.fdsup.Echo\",\"oneway\":1}",
		"{\"method\":\"org.fdsup.Echo\",\"more\":\"yes\"}", "{\"method\":\"\xff\xfe\"}",
		"{\"method\":\"org.fdsup.Echo\\u0000\"}", "{\"method\":\"org.fdsup.Echo\"} x" };
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		int fd = connect_client();
		send_bytes(fd, requests[i], strlen(requests[i]) + 1);
		expect_end(fd);
		close(fd);
	}
	cr_expect(n_logged >= 1 && n_logged < sizeof requests / sizeof *requests, "%u lines",
		n_logged);
	expect_alive();
}

Test(admin_hostile, deep_nesting_ends_its_connection_only)
{
	static char request[60000] = "{\"method\":\"org.fdsup.Echo\",\"parameters\":{\"a\":";
	size_t used = strlen(request);
	memset(request + used, '[', sizeof request - used - 1);
	int fd = connect_client();
	send_bytes(fd, request, sizeof request);
	expect_end(fd);
	expect_alive();
	close(fd);
}

Test(admin_hostile, a_request_of_100_MB_is_cut_at_64_KiB)
{
	static char bytes[16384];
	memset(bytes, 'x', sizeof bytes);
	int fd = connect_client();
	size_t sent = 0;
	while (sent < 100 << 20) {
		ssize_t n = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			break;
		if (n > 0)
			sent += (size_t)n;
		ev_run(loop, EVRUN_NOWAIT);
	}
	cr_expect(sent < 1 << 20, "%zu bytes were taken", sent);
	cr_expect(strstr(logged, "64 KiB"), "%s", logged);
	expect_alive();
	close(fd);
}

Test(admin_hostile, the_longest_request_is_served_and_one_byte_more_is_not)
{
	static const char head[] = "{\"method\":\"org.fdsup.Echo\",\"parameters\":{}}";
	static char request[64 * 1024 + 2];
	memset(request, ' ', sizeof request);
	memcpy(request, head, sizeof head - 1);
	request[64 * 1024] = 0;
	int fd = connect_client();
	send_bytes(fd, request, 64 * 1024 + 1);
	expect(fd, "{\"parameters\":{}}");
	request[64 * 1024] = ' ';
	request[64 * 1024 + 1] = 0;
	send_bytes(fd, request, 64 * 1024 + 2);
	expect_end(fd);
	close(fd);
}

Test(admin_hostile, requests_behind_a_slow_one_wait_in_the_senders_socket)
{
	static const char request[] = "{\"method\":\"org.fdsup.Echo\"}";
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Later\"}");
	size_t n = 0;
	for (int idle = 0; idle < 3; ev_run(loop, EVRUN_NOWAIT), idle++)
		while (send(fd, request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) ==
			sizeof request)
			n++, idle = 0;
	cr_assert(n * sizeof request < 2 << 20, "the server took %zu requests", n);
	admin_reply(later[0], NULL);
	for (size_t i = 0; i < n; i++)
		expect(fd, "{\"parameters\":{}}");
	close(fd);
}

Test(admin_hostile, a_request_that_ends_half_way_is_forgotten)
{
	unsigned before = count_fds();
	int fd = connect_client();
	send_bytes(fd, "{\"method\":", 10);
	turn();
	close(fd);
	turn();
	cr_expect_eq(count_fds(), before);
	expect_alive();
}

Test(admin_hostile, uninvited_descriptors_are_closed)
{
	int ends[2], copies[253];
	cr_assert(pipe2(ends, O_CLOEXEC) == 0);
	int fd = connect_client();
	turn();
	unsigned before = count_fds();
	char control[CMSG_SPACE(sizeof copies)] = { 0 };
	static char text[] = "{\"method\":\"org.fdsup.Echo\"}";
	struct iovec part = { text, sizeof text };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof copies);
	for (size_t i = 0; i < 253; i++)
		copies[i] = ends[1];
	memcpy(CMSG_DATA(header), copies, sizeof copies);
	cr_assert(sendmsg(fd, &message, MSG_NOSIGNAL) == sizeof text);
	expect(fd, "{\"parameters\":{}}");
	cr_expect_eq(count_fds(), before);
	/* The last copy is gone: the pipe is at its end once we close ours. */
	close(ends[1]);
	struct pollfd end = { .fd = ends[0], .events = POLLIN };
	cr_expect(poll(&end, 1, 5000) == 1 && end.revents == POLLHUP);
	close(ends[0]);
	close(fd);
}

Test(admin_hostile, a_thousand_idle_connections_keep_nobody_out)
{
	unsigned long limit;
	cr_assert(fd_raise_limit(&limit) == 0);
	static int fds[1000];
	unsigned before = count_fds();
	for (size_t i = 0; i < 1000; i++) {
		fds[i] = connect_client();
		ev_run(loop, EVRUN_NOWAIT);
	}
	turn();
	cr_expect(
		count_fds() - before - 1000 <= 256, "%u connections", count_fds() - before - 1000);
	expect_alive();
	/* Those idle longest had to go, the last ones stay. */
	expect_end(fds[0]);
	send_request(fds[999], "{\"method\":\"org.fdsup.Echo\"}");
	expect(fds[999], "{\"parameters\":{}}");
	for (size_t i = 0; i < 1000; i++)
		close(fds[i]);
	turn();
	cr_expect_eq(count_fds(), before);
}

Test(admin_hostile, a_client_that_waits_for_its_answer_is_not_closed_for_a_new_one)
{
	int waiting = connect_client();
	send_request(waiting, "{\"method\":\"org.fdsup.Later\"}");
	turn();
	static int fds[300];
	for (size_t i = 0; i < 300; i++) {
		fds[i] = connect_client();
		ev_run(loop, EVRUN_NOWAIT);
	}
	turn();
	admin_reply(later[0], NULL);
	expect(waiting, "{\"parameters\":{}}");
	for (size_t i = 0; i < 300; i++)
		close(fds[i]);
	close(waiting);
}

Test(admin_hostile, one_user_cannot_take_all_connections)
{
	if (geteuid())
		cr_skip("connecting as another user needs root");
	static int fds[100];
	cr_assert(seteuid(65534) == 0);
	for (size_t i = 0; i < 100; i++) {
		fds[i] = connect_client();
		send_request(fds[i], "{\"method\":\"org.fdsup.Echo\"}");
	}
	cr_assert(seteuid(0) == 0);
	unsigned before = count_fds();
	for (size_t i = 0; i < 20; i++)
		turn();
	cr_expect_eq(count_fds() - before, 64);
	expect(fds[99], "{\"parameters\":{}}");
	expect_alive();
	for (size_t i = 0; i < 100; i++)
		close(fds[i]);
}

Test(admin_hostile, who_never_reads_is_dropped_after_5_s)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Later\"}");
	turn();
	static char text[4 << 20];
	memset(text, 'x', sizeof text - 1);
	uint64_t start_ms = clock_now_ms();
	admin_reply(later[0], json_pack("{s:s}", "text", text));
	int other = connect_client();
	while (!strstr(logged, "does not read") && clock_now_ms() - start_ms < 20000) {
		/* Others are served all the while. */
		send_request(other, "{\"method\":\"org.fdsup.Echo\"}");
		expect(other, "{\"parameters\":{}}");
		ev_run(loop, EVRUN_NOWAIT);
		poll(NULL, 0, 10);
	}
	uint64_t took_ms = clock_now_ms() - start_ms;
	cr_expect(strstr(logged, "does not read"));
	cr_expect_geq(took_ms, 4900);
	close(other);
	close(fd);
}

Test(admin_hostile, an_answer_beyond_8_MiB_ends_the_connection)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Later\"}");
	turn();
	static char text[9 << 20];
	memset(text, 'x', sizeof text - 1);
	admin_reply(later[0], json_pack("{s:s}", "text", text));
	expect_end(fd);
	expect_alive();
	close(fd);
}

Test(admin_hostile, denied_requests_do_not_fill_the_log)
{
	role = ADMIN_ROLE_NONE;
	for (int i = 0; i < 200; i++) {
		int fd = connect_client();
		send_request(fd, "{\"method\":\"org.fdsup.Change\"}");
		json_decref(receive_json(fd));
		close(fd);
	}
	cr_expect(n_logged < 60, "%u lines", n_logged);
}
