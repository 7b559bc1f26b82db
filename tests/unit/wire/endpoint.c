/* One end of a connection, read from the kernel and written for people and programs. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/endpoint.h"

static struct endpoint from_ipv4(const char *text, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	cr_assert_eq(inet_pton(AF_INET, text, &in.sin_addr), 1);
	return endpoint_from_sockaddr((const struct sockaddr *)&in);
}

static struct endpoint from_ipv6(const char *text, uint16_t port, uint32_t scope)
{
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_scope_id = scope,
	};
	cr_assert_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return endpoint_from_sockaddr((const struct sockaddr *)&in6);
}

static void expect(struct endpoint end, const char *host, const char *both)
{
	char text[ENDPOINT_TEXT_SIZE];
	cr_assert_str_eq(endpoint_format_host(text, &end), host);
	cr_assert_str_eq(endpoint_format(text, &end), both);
}

Test(endpoint, writes_ipv4)
{
	expect(from_ipv4("192.0.2.1", 80), "192.0.2.1", "192.0.2.1:80");
	expect(from_ipv4("0.0.0.0", 0), "0.0.0.0", "0.0.0.0:0");
	expect(from_ipv4("255.100.10.9", 65535), "255.100.10.9", "255.100.10.9:65535");
}

Test(endpoint, writes_ipv6_with_the_scope_of_a_link)
{
	expect(from_ipv6("2001:db8::1", 80, 0), "2001:db8::1", "[2001:db8::1]:80");
	expect(from_ipv6("fe80::1", 9, 2), "fe80::1%2", "[fe80::1%2]:9");
	expect(from_ipv6("2001:db8:1111:2222:3333:4444:5555:6666", 65535, 4294967295),
		"2001:db8:1111:2222:3333:4444:5555:6666%4294967295",
		"[2001:db8:1111:2222:3333:4444:5555:6666%4294967295]:65535");
}

Test(endpoint, shows_a_mapped_client_as_ipv4)
{
	struct endpoint end = from_ipv6("::ffff:198.51.100.7", 1234, 0);
	struct endpoint same = from_ipv4("198.51.100.7", 1234);
	cr_assert_eq(end.family, AF_INET);
	cr_assert_arr_eq(&end, &same, sizeof end);
	expect(end, "198.51.100.7", "198.51.100.7:1234");
}

Test(endpoint, writes_the_credentials_of_a_unix_peer)
{
	struct endpoint end = { .family = AF_UNIX, .unix_peer = { .uid = 4294967294, .pid = 71 } };
	expect(end, "uid=4294967294,pid=71", "uid=4294967294,pid=71");
}

Test(endpoint, knows_who_connected_to_a_unix_socket)
{
	char text[ENDPOINT_TEXT_SIZE];
	int ends[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	struct endpoint peer = endpoint_of_unix_peer(ends[0]);
	struct endpoint local = { .family = AF_UNIX };
	cr_expect_eq(peer.family, AF_UNIX);
	cr_expect_eq(peer.unix_peer.uid, geteuid());
	cr_expect_eq(peer.unix_peer.gid, getegid());
	cr_expect_eq(peer.unix_peer.pid, getpid());
	cr_expect_str_eq(endpoint_format_local(text, &local), "unix");
	local = from_ipv4("192.0.2.1", 80);
	cr_expect_str_eq(endpoint_format_local(text, &local), "192.0.2.1:80");
	close(ends[0]);
	close(ends[1]);
	cr_expect_eq(endpoint_of_unix_peer(-1).family, 0);
}

Test(endpoint, is_a_dash_when_unknown)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct endpoint hostile = { .family = 60000 };
	expect(endpoint_from_sockaddr((const struct sockaddr *)&un), "-", "-");
	expect(hostile, "-", "-");
}

Test(endpoint, writes_ports_alone)
{
	char text[ENDPOINT_PORT_SIZE];
	struct endpoint end = from_ipv4("192.0.2.1", 65535);
	cr_assert_str_eq(endpoint_format_port(text, &end), "65535");
	end.port = 0;
	cr_assert_str_eq(endpoint_format_port(text, &end), "0");
}

static void expect_shown(
	struct endpoint end, enum log_address shown, const char *client, const char *source)
{
	char text[ENDPOINT_TEXT_SIZE];
	cr_expect_str_eq(endpoint_format_client(text, &end, shown), client);
	cr_expect_str_eq(endpoint_format_source(text, &end, shown), source);
}

Test(endpoint, shows_as_much_of_a_client_as_it_may)
{
	struct endpoint ipv4 = from_ipv4("192.0.2.129", 4711);
	struct endpoint local = { .family = AF_UNIX, .unix_peer = { .uid = 1000, .pid = 71 } };
	struct endpoint ipv6 = { .family = AF_INET6, .port = 80, .scope = 2 };
	struct endpoint unknown = { 0 };
	inet_pton(AF_INET6, "2001:db8:1:2:3:4:5:6", ipv6.ip);
	expect_shown(ipv4, LOG_ADDRESS_FULL, "192.0.2.129:4711", "192.0.2.129");
	expect_shown(ipv4, LOG_ADDRESS_PREFIX, "192.0.2.0/24", "192.0.2.0/24");
	expect_shown(ipv4, LOG_ADDRESS_NONE, "-", "-");
	expect_shown(ipv6, LOG_ADDRESS_FULL, "[2001:db8:1:2:3:4:5:6%2]:80", "2001:db8:1:2:3:4:5:6%2");
	expect_shown(ipv6, LOG_ADDRESS_PREFIX, "2001:db8:1::/48", "2001:db8:1::/48");
	expect_shown(ipv6, LOG_ADDRESS_NONE, "-", "-");
	expect_shown(local, LOG_ADDRESS_FULL, "uid=1000,pid=71", "uid=1000");
	expect_shown(local, LOG_ADDRESS_PREFIX, "uid=1000", "uid=1000");
	expect_shown(local, LOG_ADDRESS_NONE, "-", "-");
	expect_shown(unknown, LOG_ADDRESS_PREFIX, "-", "-");
}
