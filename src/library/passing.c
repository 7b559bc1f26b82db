/*
 * The two plain calls: one descriptor out, one descriptor in, over any Unix socket.
 */
#include <errno.h>

#include "base/fd.h"
#include "fdsup/worker.h"
#include "wire/descriptor.h"

int fdsup_send_fd(int socket, int fd, const void *bytes, size_t length)
{
	/* A stream carries no descriptor without a byte. */
	if (length == 0)
		return -EINVAL;
	return descriptor_send(socket, bytes, length, &fd, fd >= 0);
}

ssize_t fdsup_receive_fd(int socket, void *bytes, size_t size, int *ret_fd)
{
	int fds[2]; /* room for one too many, to tell it from the right number */
	struct descriptor_message message = {
		.bytes = bytes,
		.size = size,
		.fds = fds,
		.max_fds = 2,
	};
	*ret_fd = -1;
	if (size == 0)
		return -EINVAL;
	int r = descriptor_receive(socket, &message);
	if (r <= 0)
		return r;
	if (!message.is_cut && message.length > 0 && message.n_fds <= 1) {
		if (message.n_fds == 1)
			*ret_fd = fds[0];
		return (ssize_t)message.length;
	}
	for (size_t i = 0; i < message.n_fds; i++)
		fd_close(&fds[i]);
	if (message.is_out_of_fds)
		return -EMFILE;
	return message.n_fds > 1 || message.length == 0 ? -EBADMSG : -EMSGSIZE;
}
