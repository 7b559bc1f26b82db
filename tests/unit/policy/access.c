#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "policy/access.h"

static struct endpoint client(const char *text)
{
	struct endpoint end = { .family = strchr(text, ':') ? AF_INET6 : AF_INET, .port = 4711 };
	cr_assert_eq(inet_pton(end.family, text, end.ip), 1);
	return end;
}

static struct network network(const char *text, uint16_t prefix)
{
	struct endpoint end = client(text);
	struct network result = { .family = end.family, .prefix = prefix };
	memcpy(result.ip, end.ip, sizeof result.ip);
	return result;
}

static void expect(const struct access_rules *rules, const char *text, enum access_verdict verdict)
{
	struct endpoint end = client(text);
	cr_expect_eq(access_judge(rules, &end), verdict, "%s", text);
}

Test(access, without_rules_everybody_gets_in)
{
	struct access_rules none = { 0 };
	expect(&none, "192.0.2.1", ACCESS_GRANTED);
	expect(&none, "2001:db8::1", ACCESS_GRANTED);
}

Test(access, an_empty_allow_means_nobody)
{
	struct access_rules nobody = { .has_allow = true };
	expect(&nobody, "127.0.0.1", ACCESS_NOT_ALLOWED);
	expect(&nobody, "::1", ACCESS_NOT_ALLOWED);
}

Test(access, allow_names_all_who_get_in)
{
	struct network allow[] = { network("192.0.2.0", 24), network("2001:db8::", 33) };
	struct access_rules rules = { .has_allow = true, .allow = allow, .n_allow = 2 };
	expect(&rules, "192.0.2.0", ACCESS_GRANTED);
	expect(&rules, "192.0.2.255", ACCESS_GRANTED);
	expect(&rules, "192.0.3.0", ACCESS_NOT_ALLOWED);
	expect(&rules, "2001:db8:7fff::1", ACCESS_GRANTED);
	expect(&rules, "2001:db8:8000::1", ACCESS_NOT_ALLOWED);
	expect(&rules, "2001:db9::1", ACCESS_NOT_ALLOWED);
}

Test(access, deny_wins_however_narrow_allow_is)
{
	struct network allow[] = { network("192.0.2.7", 32) }, deny[] = { network("0.0.0.0", 0) };
	struct access_rules rules = {
		.has_allow = true, .allow = allow, .n_allow = 1, .deny = deny, .n_deny = 1,
	};
	expect(&rules, "192.0.2.7", ACCESS_DENIED);
	expect(&rules, "::1", ACCESS_NOT_ALLOWED);
}

Test(access, deny_alone_keeps_out_whom_it_names)
{
	struct network deny[] = { network("192.0.2.128", 25), network("::1", 128) };
	struct access_rules rules = { .deny = deny, .n_deny = 2 };
	expect(&rules, "192.0.2.127", ACCESS_GRANTED);
	expect(&rules, "192.0.2.128", ACCESS_DENIED);
	expect(&rules, "::1", ACCESS_DENIED);
	expect(&rules, "::2", ACCESS_GRANTED);
}

Test(access, every_prefix_counts_to_the_bit)
{
	for (uint16_t prefix = 1; prefix <= 128; prefix++) {
		struct network allow = { .family = AF_INET6, .prefix = prefix };
		struct access_rules rules = { .has_allow = true, .allow = &allow, .n_allow = 1 };
		struct endpoint end = { .family = AF_INET6 };
		end.ip[(prefix - 1) / 8] = (uint8_t)(0x80 >> ((prefix - 1) % 8));
		cr_expect_eq(access_judge(&rules, &end), ACCESS_NOT_ALLOWED, "bit %u", prefix);
		memset(end.ip, 0, sizeof end.ip);
		for (unsigned bit = prefix; bit < 128; bit++)
			end.ip[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
		cr_expect_eq(access_judge(&rules, &end), ACCESS_GRANTED, "behind %u", prefix);
	}
}

Test(access, local_clients_have_no_address_and_the_unknown_get_in_where_all_do)
{
	struct network deny[] = { network("192.0.2.0", 24) };
	struct access_rules rules = { .deny = deny, .n_deny = 1 }, nobody = { .has_allow = true }, none = { 0 };
	struct endpoint local = { .family = AF_UNIX }, unknown = { 0 };
	cr_expect_eq(access_judge(&nobody, &local), ACCESS_GRANTED);
	cr_expect_eq(access_judge(&rules, &unknown), ACCESS_DENIED);
	cr_expect_eq(access_judge(&nobody, &unknown), ACCESS_NOT_ALLOWED);
	cr_expect_eq(access_judge(&none, &unknown), ACCESS_GRANTED);
}
