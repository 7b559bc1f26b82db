/* A channel keeps order and descriptors while the other end does not read. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit/wire/descriptors.h"
#include "wire/channel.h"

static struct channel channel;
static int other;
static const int thing = STDIN_FILENO; /* a descriptor to pass */
static size_t n_before;

static void open_channel(void)
{
	int ends[2];
	n_before = count_descriptors();
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	channel_init(&channel, ends[0]);
	other = ends[1];
}

static void close_channel(void)
{
	channel_fini(&channel);
	fd_close(&other);
	cr_assert_eq(count_descriptors(), n_before);
}

TestSuite(channel, .init = open_channel, .fini = close_channel);

static int receive(unsigned *ret_number, int *ret_fd)
{
	struct descriptor_message message = {
		.bytes = ret_number,
		.size = sizeof *ret_number,
		.fds = ret_fd,
		.max_fds = 1,
	};
	int r = descriptor_receive(other, &message);
	if (r == 1 && message.n_fds == 0)
		*ret_fd = -1;
	return r;
}

/* Sends until some messages had to be kept; returns how many were sent or kept. */
static unsigned overfill(void)
{
	unsigned n = 0;
	for (unsigned n_kept = 0; n_kept < 20; n++) {
		cr_assert_eq(channel_send(&channel, &n, sizeof n, &thing, n % 2), 0);
		n_kept += channel_has_backlog(&channel);
		cr_assert_lt(n, 100000u);
	}
	return n;
}

Test(channel, sends_at_once_while_there_is_room)
{
	unsigned number = 7;
	int fd;
	cr_assert_eq(channel_send(&channel, &number, sizeof number, &thing, 1), 0);
	cr_assert_not(channel_has_backlog(&channel));
	number = 0;
	cr_assert_eq(receive(&number, &fd), 1);
	cr_assert_eq(number, 7);
	cr_assert_neq(fd, -1);
	fd_close(&fd);
}

Test(channel, keeps_what_does_not_fit_in_order_with_its_descriptors)
{
	unsigned n_sent = overfill();
	unsigned n_received = 0;
	while (n_received < n_sent) {
		unsigned number = 0;
		int fd;
		int r = receive(&number, &fd);
		if (r == -EAGAIN) {
			cr_assert(channel_has_backlog(&channel));
			cr_assert_eq(channel_flush(&channel), 0);
			continue;
		}
		cr_assert_eq(r, 1);
		cr_assert_eq(number, n_received);
		cr_assert_eq(fd >= 0, number % 2);
		fd_close(&fd);
		n_received++;
	}
	cr_assert_eq(channel_flush(&channel), 0);
	cr_assert_not(channel_has_backlog(&channel));
}

Test(channel, a_flush_without_room_loses_nothing)
{
	overfill();
	cr_assert_eq(channel_flush(&channel), 0);
	cr_assert(channel_has_backlog(&channel));
}

Test(channel, closes_kept_descriptors_when_it_ends)
{
	overfill();
	/* close_channel compares. */
}

Test(channel, says_that_the_other_end_is_gone)
{
	overfill();
	fd_close(&other);
	int r = channel_flush(&channel);
	cr_assert(r == -EPIPE || r == -ECONNRESET);
	cr_assert_eq(channel_send(&channel, "x", 1, NULL, 0), 0, "kept behind the others");
}
