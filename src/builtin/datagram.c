#include "builtin/datagram.h"

#include <errno.h>
#include <string.h>

/* Room for both: an IPv4 message on an IPv6 socket may carry either. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

int datagram_prepare(int socket, uint16_t *ret_port)
{
	struct sockaddr_storage local;
	socklen_t size = sizeof(int);
	int type;
	int on = 1;
	if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	size = sizeof local;
	if (getsockname(socket, (struct sockaddr *)&local, &size) < 0)
		return -errno;
	bool is_ipv6 = local.ss_family == AF_INET6;
	if (type != SOCK_DGRAM || (local.ss_family != AF_INET && !is_ipv6))
		return -EPROTOTYPE;
	/* On an IPv6 socket as well: IPv4 messages that come there tell of broadcasts only so. */
	if (setsockopt(socket, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0 && !is_ipv6)
		return -errno;
	if (is_ipv6 && setsockopt(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) < 0)
		return -errno;
	*ret_port = endpoint_from_sockaddr((const struct sockaddr *)&local).port;
	return 0;
}

static struct endpoint end_at_ipv6(const struct in6_addr *address, uint16_t port)
{
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_addr = *address,
		.sin6_port = htons(port),
	};
	return endpoint_from_sockaddr((const struct sockaddr *)&in6);
}

static struct endpoint end_at_ipv4(struct in_addr address, uint16_t port)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_addr = address,
		.sin_port = htons(port),
	};
	return endpoint_from_sockaddr((const struct sockaddr *)&in);
}

/*
 * A broadcast is received for an address (ipi_spec_dst) that it was not sent to (ipi_addr). For a
 * message that came before the kernel was asked it says only the latter, and refuses to send from
 * that if it is none of this host.
 */
static void note_ipv4(struct datagram *datagram, const struct in_pktinfo *info, uint16_t port)
{
	bool is_told = info->ipi_spec_dst.s_addr != 0;
	datagram->has_source4 = true;
	datagram->source4.ipi_spec_dst = is_told ? info->ipi_spec_dst : info->ipi_addr;
	datagram->local = end_at_ipv4(info->ipi_addr, port);
	datagram->is_unicast = info->ipi_addr.s_addr == datagram->source4.ipi_spec_dst.s_addr;
}

/* The interface matters where an address does not say it: link-local ones. */
static void note_ipv6(struct datagram *datagram, const struct in6_pktinfo *info, uint16_t port)
{
	datagram->has_source6 = true;
	datagram->source6 = *info;
	if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
		datagram->source6.ipi6_ifindex = 0;
	/* Of an IPv4 message IP_PKTINFO has told more. */
	if (datagram->has_source4)
		return;
	datagram->local = end_at_ipv6(&info->ipi6_addr, port);
	datagram->is_unicast = !IN6_IS_ADDR_MULTICAST(&info->ipi6_addr);
}

static void read_control(struct datagram *datagram, struct msghdr *message, uint16_t port)
{
	struct in_pktinfo info4;
	struct in6_pktinfo info6;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&info4, CMSG_DATA(c), sizeof info4);
			note_ipv4(datagram, &info4, port);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info6, CMSG_DATA(c), sizeof info6);
			note_ipv6(datagram, &info6, port);
		}
	}
}

ssize_t datagram_receive(
	int socket, uint16_t port, struct datagram *datagram, void *bytes, size_t size)
{
	union control control;
	struct iovec part = { bytes, size };
	*datagram = (struct datagram){ 0 };
	struct msghdr message = {
		.msg_name = &datagram->from,
		.msg_namelen = sizeof datagram->from,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	ssize_t length;
	do
		length = recvmsg(socket, &message, MSG_DONTWAIT);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	datagram->from_size = message.msg_namelen;
	datagram->peer = endpoint_from_sockaddr((const struct sockaddr *)&datagram->from);
	read_control(datagram, &message, port);
	return length;
}

static void put_control(struct msghdr *message, int level, int type, const void *data, size_t size)
{
	struct cmsghdr *header = message->msg_control;
	header->cmsg_level = level;
	header->cmsg_type = type;
	header->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(header), data, size);
	message->msg_controllen = CMSG_SPACE(size);
}

int datagram_answer(int socket, const struct datagram *datagram, const void *bytes, size_t length)
{
	union control control = { .bytes = { 0 } };
	struct iovec part = { (void *)bytes, length };
	struct msghdr message = {
		.msg_name = (void *)&datagram->from,
		.msg_namelen = datagram->from_size,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
	};
	if (datagram->has_source4)
		put_control(&message, IPPROTO_IP, IP_PKTINFO, &datagram->source4,
			sizeof datagram->source4);
	else if (datagram->has_source6)
		put_control(&message, IPPROTO_IPV6, IPV6_PKTINFO, &datagram->source6,
			sizeof datagram->source6);
	ssize_t sent;
	do
		sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}
