/* Bytes and descriptors over a Unix socket: what arrives, what is refused, what never leaks. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit/wire/descriptors.h"
#include "wire/descriptor.h"

static void open_pair(int type, int ends[2])
{
	cr_assert_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
}

static int receive(int socket, char *bytes, size_t size, int *fds, size_t max_fds,
	struct descriptor_message *message)
{
	*message = (struct descriptor_message){
		.bytes = bytes,
		.size = size,
		.fds = fds,
		.max_fds = max_fds,
	};
	return descriptor_receive(socket, message);
}

Test(descriptor, arrives_close_on_exec_with_its_bytes)
{
	int ends[2];
	char bytes[16];
	int fds[2];
	struct descriptor_message message;
	open_pair(SOCK_SEQPACKET, ends);
	cr_assert_eq(descriptor_send(ends[0], "hello", 5, &ends[0], 1), 0);
	cr_assert_eq(receive(ends[1], bytes, sizeof bytes, fds, 2, &message), 1);
	cr_assert_eq(message.length, 5);
	cr_assert_arr_eq(bytes, "hello", 5);
	cr_assert_eq(message.n_fds, 1);
	cr_assert_eq(message.is_cut, 0);
	cr_assert(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	fd_close(&fds[0]);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

Test(descriptor, does_not_wait_for_a_message)
{
	int ends[2];
	char byte;
	struct descriptor_message message;
	open_pair(SOCK_SEQPACKET, ends);
	cr_assert_eq(receive(ends[1], &byte, 1, NULL, 0, &message), -EAGAIN);
	fd_close(&ends[0]);
	cr_assert_eq(receive(ends[1], &byte, 1, NULL, 0, &message), 0);
	cr_assert_eq(descriptor_send(ends[1], "x", 1, NULL, 0), -EPIPE);
	fd_close(&ends[1]);
}

Test(descriptor, tells_an_empty_message_from_the_end)
{
	int ends[2];
	char byte;
	struct descriptor_message message;
	open_pair(SOCK_SEQPACKET, ends);
	cr_assert_eq(send(ends[0], "", 0, 0), 0);
	cr_assert_eq(receive(ends[1], &byte, 1, NULL, 0, &message), 1);
	cr_assert_eq(message.length, 0);
	cr_assert_eq(receive(ends[1], &byte, 1, NULL, 0, &message), -EAGAIN);
	shutdown(ends[0], SHUT_WR);
	cr_assert_eq(receive(ends[1], &byte, 1, NULL, 0, &message), 0);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

Test(descriptor, receives_what_was_sent_before_the_other_end_closed_without_reading)
{
	int ends[2];
	char byte;
	struct descriptor_message message;
	open_pair(SOCK_SEQPACKET, ends);
	cr_assert_eq(descriptor_send(ends[1], "unread", 6, NULL, 0), 0);
	cr_assert_eq(descriptor_send(ends[0], "x", 1, NULL, 0), 0);
	fd_close(&ends[0]); /* the kernel sets ECONNRESET on the other end */
	cr_assert_eq(receive(ends[1], &byte, 1, NULL, 0, &message), 1);
	cr_assert_eq(byte, 'x');
	cr_assert_eq(receive(ends[1], &byte, 1, NULL, 0, &message), 0);
	fd_close(&ends[1]);
}

Test(descriptor, closes_descriptors_that_nobody_asked_for)
{
	int ends[2];
	char byte;
	int many[DESCRIPTOR_MAX];
	int fds[2] = { -1, -1 };
	struct descriptor_message message;
	open_pair(SOCK_SEQPACKET, ends);
	for (size_t i = 0; i < DESCRIPTOR_MAX; i++)
		many[i] = ends[0];
	size_t n_before = count_descriptors();
	cr_assert_eq(descriptor_send(ends[0], "x", 1, many, DESCRIPTOR_MAX), 0);
	cr_assert_eq(receive(ends[1], &byte, 1, fds, 2, &message), 1);
	cr_assert_eq(message.n_fds, 2);
	cr_assert(message.is_cut);
	cr_assert_not(message.is_out_of_fds);
	cr_assert_eq(count_descriptors(), n_before + 2);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

Test(descriptor, refuses_to_send_more_than_the_kernel_takes)
{
	int many[DESCRIPTOR_MAX + 1] = { 0 };
	cr_assert_eq(descriptor_send(1, "x", 1, many, DESCRIPTOR_MAX + 1), -EINVAL);
}

Test(descriptor, says_when_bytes_were_cut)
{
	int ends[2];
	char bytes[4];
	struct descriptor_message message;
	open_pair(SOCK_SEQPACKET, ends);
	cr_assert_eq(descriptor_send(ends[0], "longer", 6, NULL, 0), 0);
	cr_assert_eq(receive(ends[1], bytes, sizeof bytes, NULL, 0, &message), 1);
	cr_assert_eq(message.length, sizeof bytes);
	cr_assert(message.is_cut);
	cr_assert_not(message.is_out_of_fds);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

Test(descriptor, says_when_no_descriptor_was_free)
{
	int ends[2];
	char byte;
	int fd = -1;
	struct descriptor_message message;
	open_pair(SOCK_SEQPACKET, ends);
	cr_assert_eq(descriptor_send(ends[0], "x", 1, &ends[0], 1), 0);
	rlim_t before = limit_descriptors(0);
	int r = receive(ends[1], &byte, 1, &fd, 1, &message);
	limit_descriptors(before);
	cr_assert_eq(r, 1);
	cr_assert_eq(message.n_fds, 0);
	cr_assert(message.is_out_of_fds);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

Test(descriptor, names_the_sender_where_the_socket_asks_for_it)
{
	int ends[2];
	int on = 1;
	char byte;
	struct descriptor_message message;
	open_pair(SOCK_SEQPACKET, ends);
	cr_assert_eq(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
	cr_assert_eq(descriptor_send(ends[0], "x", 1, NULL, 0), 0);
	cr_assert_eq(receive(ends[1], &byte, 1, NULL, 0, &message), 1);
	cr_assert_eq(message.sender.pid, getpid());
	cr_assert_eq(descriptor_send(ends[1], "x", 1, NULL, 0), 0);
	cr_assert_eq(receive(ends[0], &byte, 1, NULL, 0, &message), 1);
	cr_assert_eq(message.sender.pid, 0);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

Test(descriptor, keeps_messages_of_a_stream_apart)
{
	int ends[2];
	char bytes[72];
	int fds[2];
	struct descriptor_message message;
	open_pair(SOCK_STREAM, ends);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(descriptor_send(ends[0], "", 1, &ends[0], 1), 0);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(receive(ends[1], bytes, sizeof bytes, fds, 2, &message), 1);
		cr_assert_eq(message.length, 1);
		cr_assert_eq(message.n_fds, 1);
		fd_close(&fds[0]);
	}
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}
