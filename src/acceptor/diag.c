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
		.inode = message->idiag_inode,
		.recv_q = message->idiag_rqueue,
		.send_q = message->idiag_wqueue,
	};
	mnl_attr_for_each(attribute, header, sizeof *message)
		if (mnl_attr_get_type(attribute) == INET_DIAG_INFO)
			read_info(ret, attribute);
	return true;
}

/* Datagrams of one message each. */
struct harvest {
	struct mmsghdr messages[DIAG_NOTICES_MAX];
	struct iovec pieces[DIAG_NOTICES_MAX];
};

/* Up to `most` of those that have come: how many, or -errno. */
static int harvest(int fd, struct harvest *harvest, unsigned most)
{
	static _Alignas(8) char buffers[DIAG_NOTICES_MAX][NOTICE_SIZE];
	for (unsigned i = 0; i < most; i++) {
		harvest->pieces[i] = (struct iovec){ buffers[i], NOTICE_SIZE };
		harvest->messages[i] = (struct mmsghdr){
			.msg_hdr = { .msg_iov = &harvest->pieces[i], .msg_iovlen = 1 },
		};
	}
	int n = recvmmsg(fd, harvest->messages, most, MSG_DONTWAIT, NULL);
	return n < 0 ? -errno : n;
}

/* NULL: it is no message. */
static const struct nlmsghdr *harvested(const struct harvest *harvest, int i)
{
	const struct nlmsghdr *header = harvest->pieces[i].iov_base;
	return mnl_nlmsg_ok(header, (int)harvest->messages[i].msg_len) ? header : NULL;
}

int diag_read_notices(int notices, diag_listener *listener, void *context)
{
	struct harvest found;
	int n = harvest(notices, &found, DIAG_NOTICES_MAX);
	if (n < 0)
		return n == -EINTR ? -EAGAIN : n;
	for (int i = 0; i < n; i++) {
		const struct nlmsghdr *header = harvested(&found, i);
		struct diag_facts facts;
		if (header && read_facts(header, &facts))
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

/* Several questions lie one behind the other without gaps. */
_Static_assert(sizeof(struct question) == NLMSG_SPACE(sizeof(struct inet_diag_req_v2)), "no gaps");

static int ask_several(int query, const struct question questions[], unsigned n)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t sent = sendto(query, questions, n * sizeof *questions, MSG_DONTWAIT | MSG_NOSIGNAL,
		(const struct sockaddr *)&kernel, sizeof kernel);
	return sent < 0 ? -errno : 0;
}

static int ask(int query, const struct question *question)
{
	return ask_several(query, question, 1);
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

static void begin_look_up(struct question *question, uint64_t cookie, const struct endpoint *local,
	const struct endpoint *peer)
{
	struct inet_diag_req_v2 *request = begin(question, peer->family, 0);
	request->idiag_states = ~0U;
	request->id.idiag_sport = htons(local->port);
	request->id.idiag_dport = htons(peer->port);
	request->id.idiag_if = peer->scope;
	memcpy(request->id.idiag_src, local->ip, peer->family == AF_INET ? 4 : 16);
	memcpy(request->id.idiag_dst, peer->ip, peer->family == AF_INET ? 4 : 16);
	request->id.idiag_cookie[0] = (uint32_t)cookie;
	request->id.idiag_cookie[1] = (uint32_t)(cookie >> 32);
}

int diag_look_up(int query, uint64_t cookie, const struct endpoint *local,
	const struct endpoint *peer, struct diag_facts *ret)
{
	struct question question;
	struct diag_facts facts = { 0 };
	if (peer->family != local->family)
		return -EINVAL;
	begin_look_up(&question, cookie, local, peer);
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
	if (!facts.has_info)
		return -ENOENT;
	*ret = facts;
	return 0;
}

/* An error says no more than that there is no such connection any more. */
static void read_look_up(const struct nlmsghdr *header, struct diag_look_up look_ups[], unsigned n)
{
	struct diag_facts facts;
	if (header->nlmsg_seq >= n || !read_facts(header, &facts))
		return;
	struct diag_look_up *look_up = &look_ups[header->nlmsg_seq];
	look_up->lives = facts.cookie == look_up->cookie && facts.has_info;
	look_up->facts = facts;
}

int diag_look_up_some(int query, struct diag_look_up look_ups[], unsigned n)
{
	struct question questions[DIAG_LOOK_UPS_MAX];
	struct harvest answers;
	for (unsigned i = 0; i < n; i++) {
		struct diag_look_up *look_up = &look_ups[i];
		begin_look_up(&questions[i], look_up->cookie, look_up->local, look_up->peer);
		((struct nlmsghdr *)questions[i].bytes)->nlmsg_seq = i;
		look_up->lives = false;
	}
	int r = n ? ask_several(query, questions, n) : 0;
	if (r < 0)
		return r;
	/* All answers are there when the call that asked returns; so is the word that some were lost. */
	for (unsigned n_left = n; n_left;) {
		int n_read = harvest(query, &answers, n_left < DIAG_NOTICES_MAX ? n_left : DIAG_NOTICES_MAX);
		if (n_read == -EAGAIN)
			return r < 0 ? r : -EBADMSG;
		if (n_read < 0 && n_read != -EINTR)
			r = n_read;
		for (int i = 0; i < n_read; i++, n_left--) {
			const struct nlmsghdr *header = harvested(&answers, i);
			if (header)
				read_look_up(header, look_ups, n);
		}
	}
	return r;
}

int diag_ask_all(int query, int family)
{
	struct question question;
	begin(&question, family, NLM_F_DUMP);
	return ask(query, &question);
}
