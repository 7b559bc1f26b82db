/* Reports of workers, which may be any program at all. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit/wire/descriptors.h"
#include "wire/descriptor.h"
#include "wire/handoff.h"
#include "wire/report.h"

static struct report sample(uint64_t connection)
{
	return (struct report){
		.kind = REPORT_STARTED,
		.version = REPORT_VERSION,
		.length = sizeof(struct report),
		.pid = 42,
		.connection = connection,
	};
}

static int queue[2];
static size_t n_before;

static void open_queue(void)
{
	cr_assert_eq(handoff_queue_open(8, queue), 0);
	n_before = count_descriptors();
}

static void close_queue(void)
{
	cr_assert_eq(count_descriptors(), n_before);
	fd_close(&queue[0]);
	fd_close(&queue[1]);
}

TestSuite(report, .init = open_queue, .fini = close_queue);

Test(report, several_travel_in_one_message_with_the_senders_process)
{
	struct report sent[REPORTS_PER_MESSAGE], got[REPORTS_PER_MESSAGE];
	int pid = 0;
	for (uint64_t i = 0; i < REPORTS_PER_MESSAGE; i++)
		sent[i] = sample(i);
	cr_assert_eq(report_send(queue[1], sent, REPORTS_PER_MESSAGE), 0);
	cr_assert_eq(report_receive(queue[0], got, &pid), REPORTS_PER_MESSAGE);
	cr_assert_arr_eq(got, sent, sizeof sent);
	cr_assert_eq(pid, getpid());
	cr_assert_eq(report_receive(queue[0], got, &pid), -EAGAIN);
}

static void expect_dropped(const void *bytes, size_t length, const int fds[], size_t n_fds)
{
	struct report got[REPORTS_PER_MESSAGE];
	int pid;
	cr_assert_eq(descriptor_send(queue[1], bytes, length, fds, n_fds), 0);
	cr_assert_eq(report_receive(queue[0], got, &pid), 0);
}

Test(report, drops_what_is_none)
{
	struct report too_many[REPORTS_PER_MESSAGE + 1];
	struct report wrong = sample(1);
	for (uint64_t i = 0; i < REPORTS_PER_MESSAGE + 1; i++)
		too_many[i] = sample(i);
	expect_dropped("x", 1, NULL, 0);
	expect_dropped("", 0, NULL, 0);
	expect_dropped(too_many, sizeof too_many, NULL, 0);
	expect_dropped(too_many, sizeof too_many[0] + 1, NULL, 0);
	wrong.version = REPORT_VERSION + 1;
	expect_dropped(&wrong, sizeof wrong, NULL, 0);
	wrong = sample(1);
	wrong.length--;
	expect_dropped(&wrong, sizeof wrong, NULL, 0);
}

Test(report, closes_descriptors_sent_uninvited)
{
	struct report good = sample(1);
	int many[DESCRIPTOR_MAX];
	for (size_t i = 0; i < DESCRIPTOR_MAX; i++)
		many[i] = queue[0];
	expect_dropped(&good, sizeof good, many, 1);
	expect_dropped(&good, sizeof good, many, DESCRIPTOR_MAX);
	expect_dropped("", 0, many, DESCRIPTOR_MAX);
}

Test(report, one_bad_message_spoils_no_other)
{
	struct report good = sample(7), got[REPORTS_PER_MESSAGE];
	int pid;
	expect_dropped("", 0, NULL, 0);
	cr_assert_eq(report_send(queue[1], &good, 1), 0);
	cr_assert_eq(report_receive(queue[0], got, &pid), 1);
	cr_assert_eq(got[0].connection, 7);
}

Test(report, says_when_the_socket_is_full_and_when_nobody_is_left)
{
	struct report one = sample(1), got[REPORTS_PER_MESSAGE];
	int pid;
	int n = 0;
	while (n < 100000 && report_send(queue[1], &one, 1) == 0)
		n++;
	cr_assert_lt(n, 100000);
	cr_assert_eq(report_send(queue[1], &one, 1), -EAGAIN);
	while (report_receive(queue[0], got, &pid) == 1)
		n--;
	cr_assert_eq(n, 0);
	fd_close(&queue[1]);
	cr_assert_eq(report_receive(queue[0], got, &pid), -EPIPE);
	n_before--;
}
