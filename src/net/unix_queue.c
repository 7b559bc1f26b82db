#include "net/unix_queue.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

struct question {
	struct nlmsghdr header;
	struct unix_diag_req request;
};

static int ask(int netlink, uint32_t inode)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct question question = {
		.header = { .nlmsg_len = sizeof question,
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST },
		.request = { .sdiag_family = AF_UNIX,
			.udiag_ino = inode,
			.udiag_show = UDIAG_SHOW_RQLEN,
			/* no cookie is INET_DIAG_NOCOOKIE twice */
			.udiag_cookie = { ~0U, ~0U } },
	};
	ssize_t n = sendto(netlink, &question, sizeof question, MSG_NOSIGNAL,
		(const struct sockaddr *)&kernel, sizeof kernel);
	return n < 0 ? -errno : 0;
}

/* Of a listening socket the two say what waits, and how much may. */
static int read_answer(int netlink, unsigned *ret_waiting, unsigned *ret_backlog)
{
	_Alignas(8) char buffer[1024];
	ssize_t length = recv(netlink, buffer, sizeof buffer, MSG_DONTWAIT);
	const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
	if (length < 0)
		return -errno;
	if (!NLMSG_OK(header, (size_t)length))
		return -EBADMSG;
	if (header->nlmsg_type == NLMSG_ERROR && header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr)))
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error ?: -EBADMSG;
	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		header->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
		return -EBADMSG;
	unsigned rest = header->nlmsg_len - (unsigned)NLMSG_SPACE(sizeof(struct unix_diag_msg));
	const struct rtattr *attribute = (const struct rtattr *)(buffer + NLMSG_SPACE(sizeof(struct unix_diag_msg)));
	for (; RTA_OK(attribute, rest); attribute = RTA_NEXT(attribute, rest)) {
		const struct unix_diag_rqlen *queue = RTA_DATA(attribute);
		if (attribute->rta_type != UNIX_DIAG_RQLEN || RTA_PAYLOAD(attribute) < sizeof *queue)
			continue;
		*ret_waiting = queue->udiag_rqueue;
		*ret_backlog = queue->udiag_wqueue;
		return 0;
	}
	return -ENODATA;
}

int unix_queue(int listener, unsigned *ret_waiting, unsigned *ret_backlog)
{
	struct stat status;
	if (fstat(listener, &status) < 0)
		return -errno;
	fd_auto int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	int r = netlink < 0 ? -errno : ask(netlink, (uint32_t)status.st_ino);
	return r < 0 ? r : read_answer(netlink, ret_waiting, ret_backlog);
}
