#include "wire/descriptor.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

int descriptor_send(int socket, const void *bytes, size_t length, const int fds[], size_t n_fds)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(DESCRIPTOR_MAX * sizeof(int))];
	} control;
	struct iovec part = { (void *)bytes, length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	if (n_fds > DESCRIPTOR_MAX)
		return -EINVAL;
	if (n_fds) {
		size_t space = CMSG_SPACE(n_fds * sizeof(int));
		memset(control.bytes, 0, space); /* the padding travels, too */
		message.msg_control = control.bytes;
		message.msg_controllen = space;
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
	}
	ssize_t sent;
	do
		sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	/* A stream socket may take a part of a long message; ours are far below its limit. */
	return (size_t)sent == length ? 0 : -EMSGSIZE;
}

static void keep_rights(struct descriptor_message *message, struct cmsghdr *header)
{
	size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < n; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
		if (message->n_fds < message->max_fds) {
			message->fds[message->n_fds++] = fd;
		} else {
			fd_close(&fd);
			message->is_cut = 1;
		}
	}
}

/* An empty message reads like the end of the stream does; only one of them hangs up. */
static bool is_hung_up(int socket)
{
	struct pollfd polled = { .fd = socket, .events = POLLRDHUP };
	return poll(&polled, 1, 0) > 0 && (polled.revents & (POLLRDHUP | POLLHUP));
}

static int receive(int socket, struct descriptor_message *message, int flags)
{
	/* Room for all that the kernel may deliver, or it would install what we cannot see. */
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(DESCRIPTOR_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = { message->bytes, message->size };
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	message->length = message->n_fds = 0;
	message->is_cut = message->is_out_of_fds = 0;
	memset(&message->sender, 0, sizeof message->sender);
	ssize_t received;
	/*
	 * ECONNRESET says, once, that the other end closed without having read all of ours. What it
	 * sent before is still there.
	 */
	do
		received = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);
	while (received < 0 && (errno == EINTR || errno == ECONNRESET));
	if (received < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS)
			keep_rights(message, c);
		else if (c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&message->sender, CMSG_DATA(c), sizeof message->sender);
	}
	if (header.msg_flags & (MSG_CTRUNC | MSG_TRUNC))
		message->is_cut = 1;
	message->is_out_of_fds = !!(header.msg_flags & MSG_CTRUNC);
	message->length = (size_t)received;
	return received > 0 || message->n_fds > 0 || !is_hung_up(socket);
}

int descriptor_receive(int socket, struct descriptor_message *message)
{
	return receive(socket, message, 0);
}

int descriptor_peek(int socket, struct descriptor_message *message)
{
	return receive(socket, message, MSG_PEEK);
}
