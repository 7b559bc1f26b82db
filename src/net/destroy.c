#include "net/destroy.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

struct order {
	struct nlmsghdr header;
	struct inet_diag_req_v2 request;
};

static void fill(struct order *order, uint64_t cookie, const struct endpoint *local,
	const struct endpoint *peer)
{
	size_t size = peer->family == AF_INET ? 4 : 16;
	order->header = (struct nlmsghdr){
		.nlmsg_len = sizeof *order,
		.nlmsg_type = SOCK_DESTROY,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
	};
	struct inet_diag_req_v2 *request = &order->request;
	request->sdiag_family = (uint8_t)peer->family;
	request->sdiag_protocol = IPPROTO_TCP;
	request->idiag_states = ~0U;
	request->id.idiag_sport = htons(local->port);
	request->id.idiag_dport = htons(peer->port);
	request->id.idiag_if = peer->scope;
	memcpy(request->id.idiag_src, local->ip, size);
	memcpy(request->id.idiag_dst, peer->ip, size);
	request->id.idiag_cookie[0] = (uint32_t)cookie;
	request->id.idiag_cookie[1] = (uint32_t)(cookie >> 32);
}

static int read_answer(int fd)
{
	_Alignas(8) char buffer[1024];
	ssize_t length = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
	const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
	if (length < 0)
		return -errno;
	if ((size_t)length < NLMSG_LENGTH(sizeof(struct nlmsgerr)) ||
		header->nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	int error = ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
	/* One with the same addresses and another cookie came after it. */
	return error == -ESTALE ? -ENOENT : error;
}

int connection_destroy(
	uint64_t cookie, const struct endpoint *local, const struct endpoint *peer)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct order order = { 0 };
	bool is_ip = peer->family == AF_INET || peer->family == AF_INET6;
	if (!is_ip || peer->family != local->family)
		return -EOPNOTSUPP;
	fd_auto int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	fill(&order, cookie, local, peer);
	if (sendto(fd, &order, sizeof order, MSG_NOSIGNAL, (const struct sockaddr *)&kernel,
		    sizeof kernel) < 0)
		return -errno;
	return read_answer(fd);
}
