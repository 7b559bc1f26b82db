#include "supervisor/notices.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include "base/fd.h"

/* A notice takes 1280 bytes of it (measured): room for six thousand, in memory that is used then. */
enum { BUFFER_SIZE = 8 * 1024 * 1024 };

static void enlarge(int fd)
{
	int size = BUFFER_SIZE;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

int notices_open(void)
{
	static const struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = 1U << (SKNLGRP_INET_TCP_DESTROY - 1) |
			     1U << (SKNLGRP_INET6_TCP_DESTROY - 1),
	};
	fd_auto int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	enlarge(fd);
	if (bind(fd, (const struct sockaddr *)&groups, sizeof groups) < 0)
		return -errno;
	return fd_take(&fd);
}
