/* Whom a datagram service never answers (CERT CA-1996-01, and broadcasts). */
#include "builtin/caution.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

static struct caution caution;

static struct endpoint end_at(const char *address, uint16_t port)
{
	struct endpoint end = { .port = port };
	end.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	cr_assert_eq(inet_pton(end.family, address, end.ip), 1);
	return end;
}

static enum verdict judge(const char *peer, uint16_t peer_port, const char *local, bool is_unicast)
{
	struct endpoint from = end_at(peer, peer_port), to = end_at(local, 7007);
	return caution_judge(&caution, &from, &to, is_unicast);
}

Test(caution, answers_an_ordinary_client)
{
	cr_assert_eq(judge("192.0.2.1", 1024, "192.0.2.9", true), VERDICT_ANSWER);
	cr_assert_eq(judge("192.0.2.1", 65535, "192.0.2.9", true), VERDICT_ANSWER);
	cr_assert_eq(judge("2001:db8::1", 40000, "2001:db8::2", true), VERDICT_ANSWER);
	cr_assert_eq(judge("127.0.0.1", 40000, "127.0.0.1", true), VERDICT_ANSWER);
}

Test(caution, never_a_port_below_1024)
{
	for (unsigned port = 0; port < 1024; port++)
		cr_assert_eq(
			judge("192.0.2.1", (uint16_t)port, "192.0.2.9", true), VERDICT_LOW_PORT);
}

Test(caution, never_the_port_of_another_small_service)
{
	caution = (struct caution){ .ports = { 7019, 7013 }, .n_ports = 2 };
	cr_assert_eq(judge("192.0.2.1", 7019, "192.0.2.9", true), VERDICT_SERVICE);
	cr_assert_eq(judge("2001:db8::1", 7013, "2001:db8::2", true), VERDICT_SERVICE);
	cr_assert_eq(judge("192.0.2.1", 7014, "192.0.2.9", true), VERDICT_ANSWER);
}

Test(caution, never_itself)
{
	cr_assert_eq(judge("192.0.2.9", 7007, "192.0.2.9", true), VERDICT_OURSELVES);
	cr_assert_eq(judge("::1", 7007, "::1", true), VERDICT_OURSELVES);
	cr_assert_eq(judge("192.0.2.8", 7007, "192.0.2.9", true), VERDICT_ANSWER);
}

Test(caution, never_more_than_one_host)
{
	static const char *const many[] = { "224.0.0.1", "255.255.255.255", "240.0.0.1",
		"0.0.0.0" };
	for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
		cr_assert_eq(judge(many[i], 40000, "192.0.2.9", true), VERDICT_MANY);
		cr_assert_eq(judge("192.0.2.1", 40000, many[i], true), VERDICT_MANY);
	}
	cr_assert_eq(judge("ff02::1", 40000, "2001:db8::2", true), VERDICT_MANY);
	cr_assert_eq(judge("2001:db8::1", 40000, "ff02::1", true), VERDICT_MANY);
	cr_assert_eq(judge("::", 40000, "2001:db8::2", true), VERDICT_MANY);
	cr_assert_eq(judge("192.0.2.1", 40000, "192.0.2.255", false), VERDICT_MANY);
}

Test(caution, every_refusal_has_a_text)
{
	for (int verdict = VERDICT_LOW_PORT; verdict <= VERDICT_MANY; verdict++)
		cr_assert_str_not_empty(verdict_text((enum verdict)verdict));
}
