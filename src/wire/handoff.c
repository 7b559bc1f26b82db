#include "wire/handoff.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "wire/descriptor.h"

/* setsockopt(2) doubles the size it is given: socket(7). */
void handoff_queue_set_depth(int acceptor_end, unsigned depth)
{
	int half = (int)(depth * HANDOFF_COST / 2);
	if (setsockopt(acceptor_end, SOL_SOCKET, SO_SNDBUFFORCE, &half, sizeof half) < 0)
		setsockopt(acceptor_end, SOL_SOCKET, SO_SNDBUF, &half, sizeof half);
}

int handoff_queue_open(unsigned depth, int ret_ends[2])
{
	int ends[2];
	int on = 1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) {
		int error = -errno;
		fd_close(&ends[0]);
		fd_close(&ends[1]);
		return error;
	}
	handoff_queue_set_depth(ends[0], depth);
	ret_ends[0] = ends[0];
	ret_ends[1] = ends[1];
	return 0;
}

int handoff_queue_check(int fd)
{
	int domain;
	int type;
	socklen_t size = sizeof(int);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	return domain == AF_UNIX && type == SOCK_SEQPACKET ? 0 : -EPROTOTYPE;
}

int handoff_queue_depth(int worker_end)
{
	int bytes;
	/* SIOCINQ by the name that every C library has. */
	if (ioctl(worker_end, FIONREAD, &bytes) < 0)
		return -errno;
	return bytes / (int)sizeof(struct handoff);
}

int handoff_send(int queue, const struct handoff *record, int connection)
{
	return descriptor_send(queue, record, sizeof *record, &connection, 1);
}

int handoff_receive(int queue, struct handoff *ret_record, int *ret_connection)
{
	int fds[2]; /* room for one too many, to tell it from the right number */
	struct descriptor_message message = {
		.bytes = ret_record,
		.size = sizeof *ret_record,
		.fds = fds,
		.max_fds = 2,
	};
	int r = descriptor_receive(queue, &message);
	if (r <= 0)
		return r;
	if (message.n_fds != 1 || message.is_out_of_fds) {
		for (size_t i = 0; i < message.n_fds; i++)
			fd_close(&fds[i]);
		return message.is_out_of_fds ? -EMFILE : -EBADMSG;
	}
	/* A record of a later version is longer, and is cut to what we know of it. */
	bool is_record = message.length == sizeof *ret_record && ret_record->zero == 0 &&
			 ret_record->version >= HANDOFF_VERSION &&
			 ret_record->length >= sizeof *ret_record;
	if (!is_record)
		memset(ret_record, 0, sizeof *ret_record);
	*ret_connection = fds[0];
	return 1;
}
