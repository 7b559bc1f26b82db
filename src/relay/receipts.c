#include "relay/receipts.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "wire/descriptor.h"

static int count_unread(int socket)
{
	int n;
	return ioctl(socket, SIOCOUTQ, &n) < 0 ? -errno : n;
}

/* Kernels and machines count differently: one message tells. */
static int measure_unit(void)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	fd_auto int from = ends[0];
	fd_auto int to = ends[1];
	int r = descriptor_send(from, "", 1, &to, 1);
	return r < 0 ? r : count_unread(from);
}

int receipts_open(struct receipts *receipts)
{
	receipts->events = -1;
	receipts->unit = measure_unit();
	if (receipts->unit <= 0)
		return receipts->unit < 0 ? receipts->unit : -EOPNOTSUPP;
	receipts->events = epoll_create1(EPOLL_CLOEXEC);
	return receipts->events < 0 ? -errno : 0;
}

void receipts_close(struct receipts *receipts)
{
	fd_close(&receipts->events);
}

int receipts_watch(struct receipts *receipts, int socket)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	return epoll_ctl(receipts->events, EPOLL_CTL_ADD, socket, &event) < 0 ? -errno : 0;
}

void receipts_clear(struct receipts *receipts)
{
	struct epoll_event event;
	(void)!epoll_wait(receipts->events, &event, 1, 0);
}

int receipts_missing(const struct receipts *receipts, int socket)
{
	int n = count_unread(socket);
	/*
	 * To the nearest: the kernel wakes us while the message that was received still counts as one byte
	 * (sock_wfree). Rounded up it would be missing, and there may be no other event to look again.
	 */
	return n < 0 ? n : (n + receipts->unit / 2) / receipts->unit;
}
