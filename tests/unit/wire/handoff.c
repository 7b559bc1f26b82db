/* Hand-offs on a queue and on a classic socket, from senders who may send anything. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit/wire/descriptors.h"
#include "wire/descriptor.h"
#include "wire/handoff.h"

static struct handoff sample(void)
{
	struct sockaddr_in client = { .sin_family = AF_INET, .sin_port = htons(4711) };
	client.sin_addr.s_addr = htonl(0xc0000201);
	return (struct handoff){
		.version = HANDOFF_VERSION,
		.length = sizeof(struct handoff),
		.connection = 12345,
		.accepted_ns = 678,
		.peer = endpoint_from_sockaddr((const struct sockaddr *)&client),
	};
}

static bool is_same_file(int a, int b)
{
	struct stat one, two;
	return fstat(a, &one) == 0 && fstat(b, &two) == 0 && one.st_ino == two.st_ino &&
	       one.st_dev == two.st_dev;
}

static int queue[2];
static int thing; /* a descriptor to pass */
static size_t n_before;

static void open_queue(void)
{
	cr_assert_eq(handoff_queue_open(8, queue), 0);
	cr_assert_geq(thing = dup(0), 0);
	n_before = count_descriptors();
}

/* Nothing may be left of what was received. */
static void close_queue(void)
{
	cr_assert_eq(count_descriptors(), n_before);
	fd_close(&queue[0]);
	fd_close(&queue[1]);
	fd_close(&thing);
}

TestSuite(handoff, .init = open_queue, .fini = close_queue);

Test(handoff, brings_the_record_and_the_connection)
{
	struct handoff sent = sample(), got;
	int connection = -1;
	cr_assert_eq(handoff_send(queue[0], &sent, queue[0]), 0);
	cr_assert_eq(handoff_receive(queue[1], &got, &connection), 1);
	cr_assert_arr_eq(&got, &sent, sizeof sent);
	cr_assert(is_same_file(connection, queue[0]));
	fd_close(&connection);
}

Test(handoff, queue_holds_as_many_as_it_was_made_for)
{
	struct handoff record = sample();
	int n = 0;
	while (n < 100 && handoff_send(queue[0], &record, thing) == 0)
		n++;
	cr_assert_eq(n, 8);
	cr_assert_eq(handoff_send(queue[0], &record, thing), -EAGAIN);
	cr_assert_eq(handoff_queue_depth(queue[1]), 8);
	for (int connection; handoff_receive(queue[1], &record, &connection) == 1;)
		fd_close(&connection);
	cr_assert_eq(handoff_queue_depth(queue[1]), 0);
}

Test(handoff, a_byte_with_a_descriptor_is_a_connection_of_unknown_origin)
{
	struct handoff got = sample(), unknown = { 0 };
	int connection = -1;
	cr_assert_eq(descriptor_send(queue[0], "", 1, &thing, 1), 0);
	cr_assert_eq(handoff_receive(queue[1], &got, &connection), 1);
	cr_assert_arr_eq(&got, &unknown, sizeof got);
	fd_close(&connection);
}

Test(handoff, the_classic_format_works_on_a_stream)
{
	int ends[2];
	struct handoff got;
	int connection = -1;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(descriptor_send(ends[0], "", 1, &thing, 1), 0);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(handoff_receive(ends[1], &got, &connection), 1);
		cr_assert_eq(got.peer.family, 0);
		fd_close(&connection);
	}
	fd_close(&ends[0]);
	cr_assert_eq(handoff_receive(ends[1], &got, &connection), 0);
	fd_close(&ends[1]);
}

Test(handoff, a_later_version_is_longer_and_still_understood)
{
	struct {
		struct handoff known;
		char more[40];
	} sent = { .known = sample() };
	struct handoff got;
	int connection = -1;
	sent.known.version = HANDOFF_VERSION + 1;
	sent.known.length = sizeof sent;
	cr_assert_eq(descriptor_send(queue[0], &sent, sizeof sent, &thing, 1), 0);
	cr_assert_eq(handoff_receive(queue[1], &got, &connection), 1);
	cr_assert_eq(got.connection, sent.known.connection);
	cr_assert_eq(got.peer.port, 4711);
	fd_close(&connection);
}

static void expect_unknown_origin(const struct handoff *record, size_t length)
{
	struct handoff got = sample(), unknown = { 0 };
	int connection = -1;
	cr_assert_eq(descriptor_send(queue[0], record, length, &thing, 1), 0);
	cr_assert_eq(handoff_receive(queue[1], &got, &connection), 1);
	cr_assert_arr_eq(&got, &unknown, sizeof got, "nothing of a bad record may be believed");
	fd_close(&connection);
}

Test(handoff, believes_nothing_of_a_record_that_is_wrong)
{
	struct handoff record = sample();
	expect_unknown_origin(&record, sizeof record - 1);
	record.version = 0;
	expect_unknown_origin(&record, sizeof record);
	record = sample();
	record.zero = 7;
	expect_unknown_origin(&record, sizeof record);
	record = sample();
	record.length = sizeof record - 1;
	expect_unknown_origin(&record, sizeof record);
}

Test(handoff, a_message_without_a_descriptor_is_bad)
{
	struct handoff record = sample();
	char long_message[1000] = { 0 };
	int connection = -1;
	cr_assert_eq(descriptor_send(queue[0], &record, sizeof record, NULL, 0), 0);
	cr_assert_eq(descriptor_send(queue[0], long_message, sizeof long_message, NULL, 0), 0);
	cr_assert_eq(send(queue[0], "", 0, 0), 0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(handoff_receive(queue[1], &record, &connection), -EBADMSG);
	cr_assert_eq(connection, -1);
	cr_assert_eq(handoff_receive(queue[1], &record, &connection), -EAGAIN);
}

Test(handoff, a_message_with_several_descriptors_is_bad_and_they_are_closed)
{
	struct handoff record = sample();
	int many[DESCRIPTOR_MAX];
	int connection = -1;
	static const size_t counts[] = { 2, 3, DESCRIPTOR_MAX };
	for (size_t i = 0; i < DESCRIPTOR_MAX; i++)
		many[i] = thing;
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(descriptor_send(queue[0], &record, sizeof record, many, counts[i]), 0);
		cr_assert_eq(handoff_receive(queue[1], &record, &connection), -EBADMSG);
		cr_assert_eq(descriptor_send(queue[0], "", 1, many, counts[i]), 0);
		cr_assert_eq(handoff_receive(queue[1], &record, &connection), -EBADMSG);
		record = sample();
	}
	cr_assert_eq(connection, -1);
}

Test(handoff, says_that_no_descriptor_was_free)
{
	struct handoff record = sample();
	int connection = -1;
	cr_assert_eq(handoff_send(queue[0], &record, thing), 0);
	rlim_t before = limit_descriptors(0);
	int r = handoff_receive(queue[1], &record, &connection);
	limit_descriptors(before);
	cr_assert_eq(r, -EMFILE);
}

Test(handoff, connections_outlive_the_sender)
{
	struct handoff record = sample();
	int connection = -1;
	cr_assert_eq(send(queue[1], "report", 6, 0), 6);
	cr_assert_eq(handoff_send(queue[0], &record, thing), 0);
	fd_close(&queue[0]); /* with something unread, which the kernel calls a reset */
	cr_assert_eq(handoff_receive(queue[1], &record, &connection), 1);
	fd_close(&connection);
	cr_assert_eq(handoff_receive(queue[1], &record, &connection), 0);
	n_before--;
}
