/* What the library tells the acceptor and the supervisor, as they receive it. */
#include <errno.h>
#include <stddef.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "unit/library/fixture.h"

TestSuite(library_reports, .init = open_queue, .fini = close_queue);

static int take(uint64_t id, struct fdsup_connection *ret_connection)
{
	close(hand_over(id));
	int fd = fdsup_take(channel, ret_connection);
	cr_assert_geq(fd, 0);
	return fd;
}

static struct report receive_one(void)
{
	struct report reports[REPORTS_PER_MESSAGE];
	int pid = 0;
	cr_assert_eq(report_receive(acceptor_end, reports, &pid), 1);
	cr_assert_eq(pid, getpid());
	return reports[0];
}

Test(library_reports, repeat_what_the_hand_off_said)
{
	struct fdsup_connection connection;
	struct handoff record = record_of(4);
	close(take(4, &connection));
	cr_assert_eq(fdsup_taken(channel, &connection), 0);
	struct report got = receive_one();
	cr_assert_eq(got.kind, REPORT_TAKEN);
	cr_assert_eq(got.connection, 4);
	cr_assert_eq(got.accepted_ns, 678);
	cr_assert_eq(memcmp(&got.peer, &record.peer, sizeof got.peer), 0);
	cr_assert_eq(memcmp(&got.local, &record.local, sizeof got.local), 0);
}

Test(library_reports, name_the_process_behind_a_unix_connection)
{
	struct fdsup_connection connection;
	struct handoff record = record_of(4);
	record.peer = (struct endpoint){ .family = AF_UNIX, .unix_peer = { 7, 8, 9 } };
	cr_assert_eq(handoff_send(acceptor_end, &record, 0), 0);
	int fd = fdsup_take(channel, &connection);
	close(fd);
	cr_assert_eq(fdsup_finished(channel, &connection, NULL), 0);
	struct report got = receive_one();
	cr_assert_eq(memcmp(&got.peer, &record.peer, sizeof got.peer), 0);
}

Test(library_reports, bring_status_and_byte_counts)
{
	struct fdsup_connection connection;
	struct fdsup_result result = { .status = 3, .bytes_in = 1ULL << 40, .bytes_out = 7 };
	close(take(4, &connection));
	connection.taken_ns -= 5000000;
	cr_assert_eq(fdsup_finished(channel, &connection, &result), 0);
	struct report got = receive_one();
	cr_assert_eq(got.kind, REPORT_ENDED);
	cr_assert_eq(got.pid, getpid());
	cr_assert(WIFEXITED(got.status));
	cr_assert_eq(WEXITSTATUS(got.status), 3);
	cr_assert_eq(got.bytes_in, 1ULL << 40);
	cr_assert_eq(got.bytes_out, 7);
	cr_assert_geq(got.duration_us, 5000);
}

Test(library_reports, tell_free_slots)
{
	cr_assert_eq(fdsup_slots(channel, 250), 0);
	struct report got = receive_one();
	cr_assert_eq(got.kind, REPORT_SLOTS);
	cr_assert_eq(got.status, 250);
	cr_assert_eq(got.connection, 0);
	cr_assert_eq(fdsup_slots(channel, -1U), 0);
	cr_assert_eq(receive_one().status, INT32_MAX);
}

/* All reports that wait; every one must be the successor of the one before. */
static unsigned drain(unsigned next)
{
	struct report reports[REPORTS_PER_MESSAGE];
	int pid, n;
	while ((n = report_receive(acceptor_end, reports, &pid)) > 0)
		for (int i = 0; i < n; i++)
			cr_assert_eq(reports[i].status, (int)next++);
	cr_assert_eq(n, -EAGAIN);
	return next;
}

Test(library_reports, are_kept_in_order_while_the_acceptor_is_slow)
{
	struct fdsup_connection connection;
	unsigned n = 0;
	unsigned n_read = 0;
	/* Until the queue takes no more, and then some. */
	while (!is_readable(fdsup_fd(channel)) && n < 700)
		cr_assert_eq(fdsup_slots(channel, n++), 0);
	cr_assert_eq(n, 700);
	while ((n_read = drain(n_read)) < n) {
		wait_readable(fdsup_fd(channel));
		cr_assert_eq(fdsup_take(channel, &connection), -EAGAIN);
	}
	cr_assert_not(is_readable(fdsup_fd(channel)));
}

Test(library_reports, are_bounded)
{
	unsigned n = 0;
	int r = 0;
	while (r == 0 && n < 100000)
		r = fdsup_slots(channel, n++);
	cr_assert_eq(r, -ENOBUFS);
	unsigned n_read = drain(0);
	/* What is sent from here on comes behind those that were kept. */
	cr_assert_eq(fdsup_slots(channel, n - 1), 0);
	for (unsigned before = 0; before != n_read;) {
		struct fdsup_connection connection;
		before = n_read;
		fdsup_take(channel, &connection);
		n_read = drain(n_read);
	}
	cr_assert_eq(n_read, n);
}

Test(library_reports, interest_nobody_without_a_queue)
{
	struct fdsup_channel *classic;
	int ends[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(fdsup_open_fd(&classic, ends[1]), 0);
	cr_assert_eq(fdsup_slots(classic, 1), 0);
	cr_assert_eq(fdsup_finished(classic, &(struct fdsup_connection){ .id = 1 }, NULL), 0);
	cr_assert_not(is_readable(ends[0]));
	fdsup_close(classic);
	close(ends[0]);
}

static int open_notify_socket(bool is_abstract)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char text[sizeof name.sun_path];
	snprintf(text, sizeof text, "%s%d", is_abstract ? "@fdsup-notify-" : "/tmp/fdsup-notify-",
		(int)getpid());
	memcpy(name.sun_path, text, sizeof text);
	if (is_abstract)
		name.sun_path[0] = 0;
	else
		unlink(text);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t size = offsetof(struct sockaddr_un, sun_path) + strlen(text);
	cr_assert_eq(bind(fd, (struct sockaddr *)&name, (socklen_t)size), 0);
	setenv("NOTIFY_SOCKET", text, 1);
	return fd;
}

Test(library_notify, tells_the_supervisor_on_either_kind_of_address)
{
	for (int i = 0; i < 2; i++) {
		char text[64] = "";
		int fd = open_notify_socket(i);
		cr_assert_eq(fdsup_notify("READY=1\nSTATUS=%d left", 3), 1);
		cr_assert_eq(recv(fd, text, sizeof text - 1, MSG_DONTWAIT), 21);
		cr_assert_str_eq(text, "READY=1\nSTATUS=3 left");
		close(fd);
		if (!i)
			unlink(getenv("NOTIFY_SOCKET"));
	}
}

Test(library_notify, says_why_nothing_was_told)
{
	static char name[200];
	memset(name, 'x', sizeof name - 1);
	name[0] = '/';
	unsetenv("NOTIFY_SOCKET");
	cr_assert_eq(fdsup_notify("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	cr_assert_eq(fdsup_notify("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	cr_assert_eq(fdsup_notify("READY=1"), -EINVAL);
	setenv("NOTIFY_SOCKET", name, 1);
	cr_assert_eq(fdsup_notify("READY=1"), -ENAMETOOLONG);
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	cr_assert_eq(fdsup_notify("READY=1"), -ENOENT);
	cr_assert_eq(fdsup_notify("%5000d", 1), -EMSGSIZE);
}

Test(library_notify, never_waits_for_the_supervisor)
{
	int fd = open_notify_socket(true);
	int r;
	do
		r = fdsup_notify("WATCHDOG=1");
	while (r == 1);
	cr_assert_eq(r, -EAGAIN);
	close(fd);
}

Test(library_notify, knows_the_watchdog_of_this_process_alone)
{
	char pid[16];
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	cr_assert_eq(fdsup_watchdog_us(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	cr_assert_eq(fdsup_watchdog_us(), 30000000);
	setenv("WATCHDOG_PID", "1", 1);
	cr_assert_eq(fdsup_watchdog_us(), 0);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	cr_assert_eq(fdsup_watchdog_us(), 30000000);
	setenv("WATCHDOG_USEC", "soon", 1);
	cr_assert_eq(fdsup_watchdog_us(), 0);
}
