/* What --to may say, and in which order addresses are tried. */
#include "redirect/address.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct target target;
static char error[TARGET_ERROR_SIZE];

static void expect_host(const char *text, const char *host, const char *port)
{
	cr_assert(target_parse(&target, text, error), "%s: %s", text, error);
	cr_assert_not(target.is_unix);
	cr_assert_str_eq(target.host, host);
	cr_assert_str_eq(target.port, port);
}

Test(address, a_host_and_a_port)
{
	expect_host("mail.example.org:25", "mail.example.org", "25");
	expect_host("192.0.2.1:65535", "192.0.2.1", "65535");
	expect_host("[2001:db8::1]:8080", "2001:db8::1", "8080");
	expect_host("[fe80::1%eth0]:80", "fe80::1%eth0", "80");
}

Test(address, a_port_may_have_a_name)
{
	if (!getservbyname("smtp", "tcp"))
		cr_skip_test("no /etc/services here");
	expect_host("mail:smtp", "mail", "25");
}

Test(address, a_unix_socket_has_a_path_or_an_abstract_name)
{
	cr_assert(target_parse(&target, "unix:/run/x.sock", error));
	cr_assert(target.is_unix);
	cr_assert_str_eq(target.socket.un.sun_path, "/run/x.sock");
	cr_assert_eq(target.socket.size, offsetof(struct sockaddr_un, sun_path) + 12);
	cr_assert(target_parse(&target, "unix:@name", error));
	cr_assert_eq(memcmp(target.socket.un.sun_path, "\0name", 5), 0);
	cr_assert_eq(target.socket.size, offsetof(struct sockaddr_un, sun_path) + 5);
}

Test(address, what_is_wrong_is_said)
{
	static const struct {
		const char *text;
		const char *part;
	} wrong[] = {
		{ "", "port is missing" },
		{ "host", "port is missing" },
		{ "host:", "/etc/services" },
		{ "host:0", "from 1 to 65535" },
		{ "host:65536", "from 1 to 65535" },
		{ "host:65616", "from 1 to 65535" },
		{ "host:80x", "/etc/services" },
		{ "host:-1", "/etc/services" },
		{ ":80", "host is missing" },
		{ "[]:80", "host is missing" },
		{ "::1:80", "brackets" },
		{ "unix:", "begins with" },
		{ "unix:x", "begins with" },
		{ "unix:@", "name of the socket is missing" },
		{ "unix:/", "name of the socket is missing" },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		cr_assert_not(target_parse(&target, wrong[i].text, error), "%s", wrong[i].text);
		cr_assert(strstr(error, wrong[i].part), "%s: %s", wrong[i].text, error);
	}
}

Test(address, names_are_as_long_as_they_may_be_and_no_longer)
{
	char text[400] = "unix:/";
	memset(text + 6, 'x', 106);
	cr_assert(target_parse(&target, text, error), "107 bytes: %s", error);
	text[112] = 'x';
	cr_assert_not(target_parse(&target, text, error));
	cr_assert(strstr(error, "at most 107 bytes, this one has 108"), "%s", error);
	memset(text, 'h', 256);
	strcpy(text + 256, ":80");
	cr_assert_not(target_parse(&target, text, error));
	cr_assert(strstr(error, "at most 255"), "%s", error);
}

/* ---- the order ------------------------------------------------------------------------------- */

enum { LIST_MAX = 40 };
static struct addrinfo infos[LIST_MAX];
static struct address sockets[LIST_MAX];
static size_t n_infos;

static void append(const char *text)
{
	struct address *socket = &sockets[n_infos];
	struct addrinfo *info = &infos[n_infos];
	*socket = (struct address){ 0 };
	if (strchr(text, ':')) {
		socket->size = sizeof socket->in6;
		socket->in6.sin6_family = AF_INET6;
		inet_pton(AF_INET6, text, &socket->in6.sin6_addr);
	} else {
		socket->size = sizeof socket->in;
		socket->in.sin_family = AF_INET;
		inet_pton(AF_INET, text, &socket->in.sin_addr);
	}
	*info = (struct addrinfo){
		.ai_family = socket->any.sa_family,
		.ai_addr = &socket->any,
		.ai_addrlen = socket->size,
	};
	if (n_infos > 0)
		infos[n_infos - 1].ai_next = info;
	n_infos++;
}

static void expect_order(const struct addresses *addresses, const char *const texts[])
{
	char text[ADDRESS_TEXT_SIZE];
	for (size_t i = 0; texts[i]; i++) {
		cr_assert_lt(i, addresses->n);
		address_format(text, &addresses->list[i]);
		cr_assert_eq(strncmp(text, texts[i], strlen(texts[i])), 0, "%zu: %s", i, text);
	}
}

Test(address, families_take_turns_and_the_first_stays_first)
{
	struct addresses addresses;
	append("2001:db8::1");
	append("2001:db8::2");
	append("2001:db8::3");
	append("192.0.2.1");
	append("192.0.2.2");
	addresses_from_list(&addresses, infos);
	cr_assert_eq(addresses.n, 5);
	expect_order(&addresses, (const char *const[]){ "[2001:db8::1]", "192.0.2.1:",
					 "[2001:db8::2]", "192.0.2.2:", "[2001:db8::3]", NULL });
}

Test(address, each_address_is_tried_once)
{
	struct addresses addresses;
	append("192.0.2.1");
	append("192.0.2.1");
	append("192.0.2.2");
	addresses_from_list(&addresses, infos);
	cr_assert_eq(addresses.n, 2);
}

Test(address, more_than_fit_are_left_out)
{
	struct addresses addresses;
	char text[32];
	for (int i = 0; i < LIST_MAX; i++) {
		snprintf(text, sizeof text, "192.0.2.%d", i);
		append(text);
	}
	addresses_from_list(&addresses, infos);
	cr_assert_eq(addresses.n, ADDRESSES_MAX);
	addresses_from_list(&addresses, NULL);
	cr_assert_eq(addresses.n, 0);
}
