#include <criterion/criterion.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/receipts.h"
#include "wire/descriptor.h"

static struct receipts receipts;
static int ends[2];

static void setup(void)
{
	cr_assert_eq(receipts_open(&receipts), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(receipts_watch(&receipts, ends[0]), 0);
	receipts_clear(&receipts);
}

static void teardown(void)
{
	receipts_close(&receipts);
	close(ends[0]);
	if (ends[1] >= 0)
		close(ends[1]);
}

TestSuite(receipts, .init = setup, .fini = teardown, .timeout = 30);

static void send_one(void)
{
	int fd = STDERR_FILENO;
	cr_assert_eq(descriptor_send(ends[0], "", 1, &fd, 1), 0);
}

static void receive_one(void)
{
	char byte;
	int fd;
	struct descriptor_message message = { .bytes = &byte, .size = 1, .fds = &fd, .max_fds = 1 };
	cr_assert_eq(descriptor_receive(ends[1], &message), 1);
	close(fd);
}

static bool has_event(int timeout_ms)
{
	struct pollfd polled = { .fd = receipts.events, .events = POLLIN };
	return poll(&polled, 1, timeout_ms) == 1;
}

Test(receipts, counts_what_is_not_received_up_to_the_last)
{
	cr_expect_eq(receipts_missing(&receipts, ends[0]), 0);
	for (int i = 1; i <= 16; i++) {
		send_one();
		cr_expect_eq(receipts_missing(&receipts, ends[0]), i);
	}
	for (int i = 15; i >= 0; i--) {
		receive_one();
		cr_expect_eq(receipts_missing(&receipts, ends[0]), i);
	}
}

Test(receipts, each_one_is_an_event)
{
	for (int i = 0; i < 16; i++)
		send_one();
	receipts_clear(&receipts);
	cr_expect_not(has_event(0));
	for (int i = 0; i < 16; i++) {
		receive_one();
		cr_expect(has_event(10000), "%d", i);
		receipts_clear(&receipts);
	}
}

Test(receipts, a_peer_that_goes_is_an_event_too)
{
	send_one();
	receipts_clear(&receipts);
	close(ends[1]);
	ends[1] = -1;
	cr_expect(has_event(10000));
}
