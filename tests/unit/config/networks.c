#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/networks.h"

/* "192.0.2.0/24", as it was understood. */
static const char *understood(const char *text)
{
	static char result[96];
	char reason[NETWORK_REASON_SIZE], address[INET6_ADDRSTRLEN];
	struct network network;
	cr_assert_eq(network_parse(text, &network, reason), 0, "%s: %s", text, reason);
	inet_ntop(network.family, network.ip, address, sizeof address);
	snprintf(result, sizeof result, "%s/%u", address, network.prefix);
	return result;
}

Test(networks, are_addresses_with_the_bits_that_count)
{
	static const char *const cases[][2] = {
		{ "192.0.2.7", "192.0.2.7/32" },
		{ "192.0.2.0/24", "192.0.2.0/24" },
		{ "192.0.2.128/25", "192.0.2.128/25" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "10.0.0.0/32", "10.0.0.0/32" },
		{ "::1", "::1/128" },
		{ "::1/128", "::1/128" },
		{ "::/0", "::/0" },
		{ "2001:db8::/32", "2001:db8::/32" },
		{ "10.0.1.0/32", "10.0.1.0/32" },
		{ "2001:db8::/128", "2001:db8::/128" },
		{ "2001:db8::1:0", "2001:db8::1:0/128" },
		{ "2001:db8:8000::/33", "2001:db8:8000::/33" },
		{ "::ffff:192.0.2.7", "192.0.2.7/32" },
		{ "::ffff:192.0.2.0/120", "192.0.2.0/24" },
		{ "::ffff:0:0/96", "0.0.0.0/0" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_str_eq(understood(cases[i][0]), cases[i][1], "%s", cases[i][0]);
}

Test(networks, what_is_none_is_refused_with_what_to_write)
{
	static const char *const cases[][2] = {
		{ "", "is no network" },
		{ "localhost", "names are not looked up" },
		{ "example.net", "names are not looked up" },
		{ "192.0.2", "is no network" },
		{ "192.0.2.256", "is no network" },
		{ "192.0.2.0", "\"192.0.2.0/24\" for the network or" },
		{ "192.0.2.0", "or \"192.0.2.0/32\" for this address alone" },
		{ "172.16.0.0", "\"172.16.0.0/16\" for the network or the number that you mean" },
		{ "10.0.0.0", "\"10.0.0.0/8\" for the network" },
		{ "0.0.0.0", "\"0.0.0.0/0\" for the network" },
		{ "2001:db8::", "\"2001:db8::/32\" for the network" },
		{ "2001:db8::", "or \"2001:db8::/128\" for this" },
		{ "2001:db8:0:1::", "\"2001:db8:0:1::/64\" for the network" },
		{ "fe80::", "\"fe80::/16\" for the network or the number" },
		{ "::", "\"::/0\" for the network" },
		{ "10.0.0.0/8, 192.168.0.0/16", "write a list: [ \"10.0.0.0/8\", \"192.168.0.0/16\" ]" },
		{ "10.0.0.1 10.0.0.2", "write a list: [ \"10.0.0.1\", \"10.0.0.2\" ]" },
		{ "192.0.2.7/24", "write \"192.0.2.0/24\"" },
		{ "192.0.2.0/33", "from 0 to 32" },
		{ "192.0.2.0/", "from 0 to 32" },
		{ "192.0.2.0/-1", "from 0 to 32" },
		{ "192.0.2.0/24/24", "from 0 to 32" },
		{ "192.0.2.0/255.255.255.0", "from 0 to 32" },
		{ "2001:db8::/129", "from 0 to 128" },
		{ "2001:db8::1/64", "write \"2001:db8::/64\"" },
		{ "fe80::1%eth0", "is no network" },
		{ "*", "\"0.0.0.0/0\" and \"::/0\"" },
		{ "ALL", "\"0.0.0.0/0\" and \"::/0\"" },
		{ "192.0.2.0/24, 198.51.100.0/24 and many more words that go on for long, "
		  "and longer than any line should be, until it is cut: so long, so very long, and more", "... ]" },
	};
	char reason[NETWORK_REASON_SIZE];
	struct network network;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect_eq(network_parse(cases[i][0], &network, reason), -EINVAL, "%s", cases[i][0]);
		cr_expect(strstr(reason, cases[i][1]), "%s: %s", cases[i][0], reason);
	}
}
