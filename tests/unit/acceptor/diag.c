/* What the kernel says of connections that the test makes itself. */
#include "acceptor/diag.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/notices.h"

enum { PATIENCE_MS = 20000 };

struct pair {
	int client, server;
	uint64_t cookie;
	struct endpoint local, peer;
};

/* False: this kernel has no such answers, and the test is not for it. */
static bool open_both(int *query, int *notices)
{
	*query = diag_open();
	*notices = notices_open();
	return *query >= 0 && *notices >= 0 && diag_probe(*query) == 0;
}

static struct endpoint end_of(int fd, int (*name)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage address;
	socklen_t size = sizeof address;
	cr_assert_eq(name(fd, (struct sockaddr *)&address, &size), 0);
	return endpoint_from_sockaddr((struct sockaddr *)&address);
}

static int own_name(int fd, struct sockaddr *address, socklen_t *size)
{
	return getsockname(fd, address, size);
}

static int peer_name(int fd, struct sockaddr *address, socklen_t *size)
{
	return getpeername(fd, address, size);
}

/* `family` is that of the listener: AF_INET6 takes the IPv4 client as a mapped one. */
static struct pair connect_pair(int family)
{
	struct sockaddr_in6 any = { .sin6_family = (sa_family_t)family };
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct pair pair;
	socklen_t size = sizeof pair.cookie;
	int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (family == AF_INET)
		cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	else
		cr_assert_eq(bind(listener, (struct sockaddr *)&any, sizeof any), 0);
	cr_assert_eq(listen(listener, 1), 0);
	address.sin_port = htons(end_of(listener, own_name).port);
	pair.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(pair.client, (struct sockaddr *)&address, sizeof address), 0);
	pair.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(pair.server, 0);
	close(listener);
	pair.local = end_of(pair.server, own_name);
	pair.peer = end_of(pair.server, peer_name);
	cr_assert_eq(getsockopt(pair.server, SOL_SOCKET, SO_COOKIE, &pair.cookie, &size), 0);
	return pair;
}

static void talk(const struct pair *pair)
{
	char bytes[64];
	cr_assert_eq(send(pair->client, "hello", 5, 0), 5);
	cr_assert_eq(recv(pair->server, bytes, sizeof bytes, 0), 5);
	cr_assert_eq(send(pair->server, "good morning", 12, 0), 12);
	cr_assert_eq(recv(pair->client, bytes, sizeof bytes, 0), 12);
}

struct search {
	uint64_t cookie;
	int n;
	struct diag_facts facts;
};

static void search(void *context, const struct diag_facts *facts)
{
	struct search *search = context;
	if (facts->cookie != search->cookie)
		return;
	search->n++;
	search->facts = *facts;
}

static struct diag_facts await_notice(int notices, uint64_t cookie)
{
	struct search found = { .cookie = cookie };
	while (!found.n) {
		struct pollfd polled = { .fd = notices, .events = POLLIN };
		cr_assert_eq(poll(&polled, 1, PATIENCE_MS), 1, "no notice in time");
		int r = diag_read_notices(notices, search, &found);
		cr_assert(r > 0 || r == -EAGAIN, "%s", strerror(-r));
	}
	return found.facts;
}

static bool has_notice(int notices, uint64_t cookie)
{
	struct search found = { .cookie = cookie };
	while (diag_read_notices(notices, search, &found) > 0)
		;
	return found.n > 0;
}

Test(diag, tells_the_end_once_nobody_has_it)
{
	int query, notices;
	if (!open_both(&query, &notices))
		cr_skip("the kernel tells nothing");
	struct pair pair = connect_pair(AF_INET);
	int copy = dup(pair.server);
	talk(&pair);
	shutdown(pair.client, SHUT_WR);
	close(pair.server);
	/* Another one is told: what came before it has been read. */
	struct pair other = connect_pair(AF_INET);
	close(other.server);
	await_notice(notices, other.cookie);
	cr_expect(!has_notice(notices, pair.cookie), "a copy is open");
	close(copy);
	struct diag_facts facts = await_notice(notices, pair.cookie);
	cr_expect(facts.has_bytes);
	cr_expect_eq(facts.bytes_in, 5, "%llu", (unsigned long long)facts.bytes_in);
	cr_expect_eq(facts.bytes_out, 12);
	cr_expect_eq(memcmp(&facts.peer, &pair.peer, sizeof pair.peer), 0);
	cr_expect_eq(facts.local_port, pair.local.port);
}

Test(diag, what_we_reset_has_no_bytes)
{
	int query, notices;
	struct linger now = { .l_onoff = 1 };
	if (!open_both(&query, &notices))
		cr_skip("the kernel tells nothing");
	struct pair pair = connect_pair(AF_INET);
	talk(&pair);
	setsockopt(pair.server, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(pair.server);
	cr_expect(!await_notice(notices, pair.cookie).has_bytes, "unknown is not 0");
}

static void look_up(int family)
{
	int query, notices;
	struct diag_facts facts;
	if (!open_both(&query, &notices))
		cr_skip("the kernel tells nothing");
	struct pair pair = connect_pair(family);
	talk(&pair);
	cr_assert_eq(send(pair.client, "unread", 6, 0), 6);
	cr_assert_eq(diag_look_up(query, pair.cookie, &pair.local, &pair.peer, &facts), 0);
	cr_expect_eq(facts.state, TCP_ESTABLISHED);
	cr_expect_eq(facts.recv_q, 6);
	cr_expect_eq(facts.bytes_in, 11);
	cr_expect_eq(facts.bytes_out, 12);
	cr_expect(facts.has_owner);
	cr_expect_eq(memcmp(&facts.peer, &pair.peer, sizeof pair.peer), 0);
	cr_expect_eq(diag_look_up(query, pair.cookie + 1, &pair.local, &pair.peer, &facts), -ENOENT,
		"the same addresses, and another connection");
	close(pair.server);
	close(pair.client);
	cr_expect_eq(diag_look_up(query, pair.cookie, &pair.local, &pair.peer, &facts), -ENOENT);
}

Test(diag, looks_up_many_at_once_and_tells_which_live)
{
	int query, notices;
	if (!open_both(&query, &notices))
		cr_skip("the kernel tells nothing");
	struct pair pairs[DIAG_LOOK_UPS_MAX];
	struct diag_look_up look_ups[DIAG_LOOK_UPS_MAX];
	for (int i = 0; i < DIAG_LOOK_UPS_MAX; i++) {
		pairs[i] = connect_pair(i % 2 ? AF_INET : AF_INET6);
		look_ups[i] = (struct diag_look_up){
			.cookie = pairs[i].cookie,
			.local = &pairs[i].local,
			.peer = &pairs[i].peer,
			.lives = true,
		};
		cr_assert_eq(send(pairs[i].client, "0123456789012345678901234567890123456789", i, 0), i);
	}
	close(pairs[3].server);
	close(pairs[3].client);
	look_ups[5].cookie++;
	for (int times = 0; times < 2; times++) {
		cr_assert_eq(diag_look_up_some(query, look_ups, DIAG_LOOK_UPS_MAX), 0);
		for (uint32_t i = 0; i < DIAG_LOOK_UPS_MAX; i++) {
			cr_expect_eq(look_ups[i].lives, i != 3 && i != 5, "%u", i);
			if (look_ups[i].lives)
				cr_expect_eq(look_ups[i].facts.recv_q, i);
		}
	}
	struct diag_facts facts;
	cr_expect_eq(diag_look_up(query, pairs[1].cookie, &pairs[1].local, &pairs[1].peer, &facts), 0,
		"no answer is left over");
	cr_expect_eq(diag_look_up_some(query, look_ups, 0), 0);
}

Test(diag, looks_up_one)
{
	look_up(AF_INET);
}

Test(diag, looks_up_one_of_ipv4_on_a_socket_of_both)
{
	look_up(AF_INET6);
}

static int survey_family(int query, int family, struct search *found)
{
	int r = diag_ask_all(query, family);
	while (r == 0 || r == 1 || r == -EAGAIN) {
		r = diag_read_some(query, search, found);
		if (r == 0)
			break;
	}
	return r;
}

Test(diag, lists_all)
{
	int query, notices;
	if (!open_both(&query, &notices))
		cr_skip("the kernel tells nothing");
	for (int i = 0; i < 300; i++)
		connect_pair(AF_INET);
	struct pair pair = connect_pair(AF_INET6);
	struct search found = { .cookie = pair.cookie };
	cr_assert_eq(survey_family(query, AF_INET, &found), 0);
	cr_assert_eq(survey_family(query, AF_INET6, &found), 0);
	cr_expect_eq(found.n, 1, "once, in one of the two");
	cr_expect_eq(found.facts.peer.family, AF_INET);
}
