#include "acceptor/diag.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* netinet/tcp.h has these as well, and cannot stand beside linux/tcp.h. */
enum {
	STATE_ESTABLISHED = 1,
	STATE_FIN_WAIT1 = 4,
	STATE_FIN_WAIT2 = 5,
	STATE_CLOSE_WAIT = 8,
	STATE_LAST_ACK = 9,
	STATE_LISTEN = 10,
	STATE_CLOSING = 11,
};

/* TIME_WAIT has no socket any more, and one in SYN_RECV is nobody's yet. */
static const uint32_t living_states = 1U << STATE_ESTABLISHED | 1U << STATE_FIN_WAIT1 |
				      1U << STATE_FIN_WAIT2 | 1U << STATE_CLOSE_WAIT |
				      1U << STATE_LAST_ACK | 1U << STATE_CLOSING;

enum { NOTICE_SIZE = 1024, ANSWER_SIZE = 32 * 1024 };

int diag_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	return fd < 0 ? -errno : fd;
}

/* ---- reading --------------------------------------------------------------------------------- */

static struct endpoint read_end(uint8_t family, const uint32_t address[4], uint16_t port)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct endpoint end = { .family = family, .port = ntohs(port) };
	memcpy(end.ip, address, family == AF_INET ? 4 : 16);
	if (family == AF_INET6 && !memcmp(end.ip, mapped, sizeof mapped)) {
		end.family = AF_INET;
		memmove(end.ip, end.ip + 12, 4);
		memset(end.ip + 4, 0, 12);
	}
	return end;
}

static void read_info(struct diag_facts *facts, const struct nlattr *attribute)
{
	struct tcp_info info = { 0 };
	size_t size = mnl_attr_get_payload_len(attribute);
	memcpy(&info, mnl_attr_get_payload(attribute), size < sizeof info ? size : sizeof info);
	bool has_ended_stream = facts->recv_q == 1 && facts->state != STATE_ESTABLISHED;
	facts->has_info = true;
	facts->rtt_us = info.tcpi_rtt;
	facts->idle_ms = info.tcpi_last_data_recv < info.tcpi_last_data_sent
				 ? info.tcpi_last_data_recv
				 : info.tcpi_last_data_sent;
	/* Somebody has opened it with a segment at least. */
	facts->has_bytes = size > offsetof(struct tcp_info, tcpi_bytes_retrans) && info.tcpi_segs_in;
	facts->bytes_in = info.tcpi_bytes_received;
	if (has_ended_stream && facts->bytes_in)
		facts->bytes_in--;
	facts->bytes_out = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
}

/* False: it is no answer about a connection. */
static bool read_facts(const struct nlmsghdr *header, struct diag_facts *ret)
{
	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		mnl_nlmsg_get_payload_len(header) < sizeof(struct inet_diag_msg))
		return false;
	const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
	const struct nlattr *attribute;
	if (message->idiag_family != AF_INET && message->idiag_family != AF_INET6)
		return false;
	*ret = (struct diag_facts){
		.cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0],
		.local_port = ntohs(message->id.idiag_sport),
		.local = read_end(message->idiag_family, message->id.idiag_src,
			message->id.idiag_sport),
		.peer = read_end(message->idiag_family, message->id.idiag_dst,
			message->id.idiag_dport),
		.state = message->idiag_state,
		.has_owner = message->idiag_inode != 0,
		.recv_q = message->idiag_rqueue,
		.send_q = message->idiag_wqueue,
	};
	mnl_attr_for_each(attribute, header, sizeof *message)
		if (mnl_attr_get_type(attribute) == INET_DIAG_INFO)
			read_info(ret, attribute);
	return true;
}

int diag_read_notices(int notices, diag_listener *listener, void *context)
{
	static _Alignas(8) char buffers[DIAG_NOTICES_MAX][NOTICE_SIZE];
	struct mmsghdr messages[DIAG_NOTICES_MAX];
	struct iovec pieces[DIAG_NOTICES_MAX];
	for (int i = 0; i < DIAG_NOTICES_MAX; i++) {
		pieces[i] = (struct iovec){ buffers[i], NOTICE_SIZE };
		messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &pieces[i], .msg_iovlen = 1 } };
	}
	int n = recvmmsg(notices, messages, DIAG_NOTICES_MAX, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	for (int i = 0; i < n; i++) {
		const struct nlmsghdr *header = (const struct nlmsghdr *)buffers[i];
		struct diag_facts facts;
		if (mnl_nlmsg_ok(header, (int)messages[i].msg_len) && read_facts(header, &facts))
			listener(context, &facts);
	}
	return n;
}

/* 1 and 0 as diag_read_some; every message of one datagram. */
static int read_answer(char *buffer, ssize_t length, diag_listener *listener, void *context)
{
	int left = (int)length;
	for (const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
		mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
		struct diag_facts facts;
		int error = 0;
		/* Both begin with an error, which of an end that is none is 0. */
		if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
			if (mnl_nlmsg_get_payload_len(header) >= sizeof error)
				memcpy(&error, mnl_nlmsg_get_payload(header), sizeof error);
			return error < 0 ? error : 0;
		}
		if (read_facts(header, &facts))
			listener(context, &facts);
	}
	return 1;
}

int diag_read_some(int query, diag_listener *listener, void *context)
{
	static _Alignas(8) char buffer[ANSWER_SIZE];
	ssize_t length = recv(query, buffer, sizeof buffer, MSG_DONTWAIT);
	if (length < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return read_answer(buffer, length, listener, context);
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct question {
	_Alignas(8) char bytes[NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct inet_diag_req_v2))];
};

static struct inet_diag_req_v2 *begin(struct question *question, int family, uint16_t flags)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(question->bytes);
	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(header, sizeof *request);
	request->sdiag_family = (uint8_t)family;
	request->sdiag_protocol = IPPROTO_TCP;
	request->idiag_ext = 1U << (INET_DIAG_INFO - 1);
	request->idiag_states = living_states;
	request->id.idiag_cookie[0] = request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return request;
}

static int ask(int query, const struct question *question)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	const struct nlmsghdr *header = (const struct nlmsghdr *)question->bytes;
	ssize_t n = sendto(query, question->bytes, header->nlmsg_len, MSG_DONTWAIT | MSG_NOSIGNAL,
		(const struct sockaddr *)&kernel, sizeof kernel);
	return n < 0 ? -errno : 0;
}

static void ignore(void *context, const struct diag_facts *facts)
{
	(void)context;
	(void)facts;
}

/* The answer to a question is there when the call that asked returns. */
int diag_probe(int query)
{
	struct question question;
	struct inet_diag_req_v2 *request = begin(&question, AF_INET, NLM_F_DUMP);
	/* No listener has this port, so the answer is short. */
	request->idiag_states = 1U << STATE_LISTEN;
	request->id.idiag_sport = htons(1);
	int r = ask(query, &question);
	do
		r = r < 0 ? r : diag_read_some(query, ignore, NULL);
	while (r == 1);
	return r;
}

static void note(void *context, const struct diag_facts *facts)
{
	*(struct diag_facts *)context = *facts;
}

int diag_look_up(int query, uint64_t cookie, const struct endpoint *local,
	const struct endpoint *peer, struct diag_facts *ret)
{
	struct question question;
	struct inet_diag_req_v2 *request = begin(&question, peer->family, 0);
	struct diag_facts facts = { 0 };
	if (peer->family != local->family)
		return -EINVAL;
	request->idiag_states = ~0U;
	request->id.idiag_sport = htons(local->port);
	request->id.idiag_dport = htons(peer->port);
	request->id.idiag_if = peer->scope;
	memcpy(request->id.idiag_src, local->ip, peer->family == AF_INET ? 4 : 16);
	memcpy(request->id.idiag_dst, peer->ip, peer->family == AF_INET ? 4 : 16);
	request->id.idiag_cookie[0] = (uint32_t)cookie;
	request->id.idiag_cookie[1] = (uint32_t)(cookie >> 32);
	int r = ask(query, &question);
	if (r == 0)
		r = diag_read_some(query, note, &facts);
	/* One with the same addresses and another cookie came after it. */
	if (r == -ESTALE)
		return -ENOENT;
	if (r < 0)
		return r;
	if (facts.cookie != cookie)
		return -EBADMSG;
	*ret = facts;
	return 0;
}

int diag_ask_all(int query, int family)
{
	struct question question;
	begin(&question, family, NLM_F_DUMP);
	return ask(query, &question);
}
