/* The two plain calls: one descriptor out, one descriptor in. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "unit/library/fixture.h"

static int ends[2];
static int thing; /* a descriptor to pass */

static void open_pair(int type)
{
	cr_assert_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_geq(thing = fd_copy(0), 0);
	n_before = count_descriptors();
}

static void open_stream(void)
{
	open_pair(SOCK_STREAM);
}

static void close_pair(void)
{
	cr_assert_eq(count_descriptors(), n_before);
	close(ends[0]);
	close(ends[1]);
	close(thing);
}

TestSuite(library_passing, .init = open_stream, .fini = close_pair);

static ssize_t receive(size_t size, int *ret_fd)
{
	char bytes[64] = "";
	*ret_fd = 99;
	return fdsup_receive_fd(ends[1], bytes, size, ret_fd);
}

Test(library_passing, brings_the_bytes_and_the_same_file)
{
	char bytes[8] = "";
	struct stat sent, received;
	int fd;
	cr_assert_eq(fdsup_send_fd(ends[0], thing, "hello", 5), 0);
	cr_assert_eq(fdsup_receive_fd(ends[1], bytes, sizeof bytes, &fd), 5);
	cr_assert_str_eq(bytes, "hello");
	cr_assert_eq(fstat(fd, &received) | fstat(thing, &sent), 0);
	cr_assert_eq(sent.st_ino, received.st_ino);
	cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

Test(library_passing, brings_bytes_alone_and_says_so)
{
	int fd;
	cr_assert_eq(fdsup_send_fd(ends[0], -1, "no", 2), 0);
	cr_assert_eq(receive(64, &fd), 2);
	cr_assert_eq(fd, -1);
}

Test(library_passing, never_waits)
{
	int fd;
	cr_assert_eq(receive(64, &fd), -EAGAIN);
	cr_assert_eq(fd, -1);
	int r;
	do
		r = fdsup_send_fd(ends[0], thing, "x", 1);
	while (r == 0);
	cr_assert(r == -EAGAIN || r == -ETOOMANYREFS, "%d", r);
	while (receive(64, &fd) > 0)
		close(fd);
}

Test(library_passing, takes_no_empty_message)
{
	int fd;
	cr_assert_eq(fdsup_send_fd(ends[0], thing, "", 0), -EINVAL);
	cr_assert_eq(receive(0, &fd), -EINVAL);
	cr_assert_eq(fd, -1);
}

Test(library_passing, tells_the_end)
{
	int fd;
	cr_assert_eq(fdsup_send_fd(ends[0], thing, "x", 1), 0);
	shutdown(ends[0], SHUT_WR);
	cr_assert_eq(receive(64, &fd), 1);
	close(fd);
	cr_assert_eq(receive(64, &fd), 0);
	cr_assert_eq(fd, -1);
	shutdown(ends[1], SHUT_RDWR);
	cr_assert_eq(fdsup_send_fd(ends[0], thing, "x", 1), -EPIPE);
}

Test(library_passing, closes_all_when_several_came)
{
	int fds[DESCRIPTOR_MAX];
	int fd;
	for (size_t i = 0; i < DESCRIPTOR_MAX; i++)
		fds[i] = thing;
	for (size_t n = 2; n <= DESCRIPTOR_MAX; n += n < 4 ? 1 : 83) {
		cr_assert_eq(descriptor_send(ends[0], "x", 1, fds, n), 0);
		cr_assert_eq(receive(64, &fd), -EBADMSG, "%zu descriptors", n);
		cr_assert_eq(fd, -1);
		cr_assert_eq(count_descriptors(), n_before);
	}
}

Test(library_passing, reads_a_long_stream_in_pieces)
{
	int fd;
	cr_assert_eq(fdsup_send_fd(ends[0], thing, "abcdef", 6), 0);
	cr_assert_eq(receive(4, &fd), 4);
	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(receive(4, &fd), 2);
	cr_assert_eq(fd, -1);
}

Test(library_passing, says_when_a_descriptor_was_lost)
{
	int fd;
	int lowest_free = dup(0);
	close(lowest_free);
	cr_assert_eq(fdsup_send_fd(ends[0], thing, "x", 1), 0);
	rlim_t limit = limit_descriptors((rlim_t)lowest_free);
	ssize_t r = receive(64, &fd);
	limit_descriptors(limit);
	cr_assert_eq(r, -EMFILE);
	cr_assert_eq(fd, -1);
}

static void open_records(void)
{
	open_pair(SOCK_SEQPACKET);
}

TestSuite(library_records, .init = open_records, .fini = close_pair);

Test(library_records, refuses_a_message_that_is_too_long_with_its_descriptor)
{
	int fd;
	cr_assert_eq(fdsup_send_fd(ends[0], thing, "abcdef", 6), 0);
	cr_assert_eq(receive(4, &fd), -EMSGSIZE);
	cr_assert_eq(fd, -1);
	cr_assert_eq(receive(4, &fd), -EAGAIN);
}

Test(library_records, tells_an_empty_message_from_the_end)
{
	int fd;
	cr_assert_eq(descriptor_send(ends[0], "", 0, &thing, 1), 0);
	cr_assert_eq(descriptor_send(ends[0], "", 0, NULL, 0), 0);
	cr_assert_eq(receive(4, &fd), -EBADMSG);
	cr_assert_eq(receive(4, &fd), -EBADMSG);
	cr_assert_eq(receive(4, &fd), -EAGAIN);
}
