/* The promises of resolving addresses to listen on; needs no name server. */
#include <arpa/inet.h>
#include <criterion/criterion.h>

#include "net/resolve.h"

static struct listen_target targets[RESOLVE_MAX];
static char error[RESOLVE_ERROR_SIZE];

static const char *resolve_one(const char *address, const char *port)
{
	static char text[ENDPOINT_TEXT_SIZE];
	cr_assert_eq(resolve_listen(address, port, targets, error), 1, "%s", error);
	return endpoint_format(text, &targets[0].address);
}

Test(resolve, takes_an_address_for_itself)
{
	cr_expect_str_eq(resolve_one("::1", "80"), "[::1]:80");
	cr_expect_not(targets[0].is_both_families);
	cr_expect_str_eq(resolve_one("::", "80"), "[::]:80");
	cr_expect_not(targets[0].is_both_families);
	cr_expect_str_eq(resolve_one("127.0.0.1", "0"), "127.0.0.1:0");
}

Test(resolve, takes_only_three_words_for_every_address)
{
	static const char *const words[] = { "*", "-", "" };
	for (int i = 0; i < 3; i++) {
		cr_expect_str_eq(resolve_one(words[i], "80"), "[::]:80");
		cr_expect(targets[0].is_both_families);
	}
}

Test(resolve, accepts_service_names)
{
	cr_expect_str_eq(resolve_one("127.0.0.1", "http"), "127.0.0.1:80");
}

Test(resolve, lists_each_address_of_a_name_once)
{
	int n = resolve_listen("localhost", "80", targets, error);
	cr_assert_gt(n, 0, "%s", error);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < i; k++)
			cr_expect(memcmp(&targets[i], &targets[k], sizeof *targets));
}

Test(resolve, says_what_is_wrong)
{
	static const char *const ports[] = { "65536", "65616", "-1", "", "80x", "no-such-service" };
	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
		cr_expect_lt(
			resolve_listen("127.0.0.1", ports[i], targets, error), 0, "%s", ports[i]);
		cr_expect(strstr(error, "port"), "%s", error);
	}
	cr_expect_lt(resolve_listen("300.1.1.1.example.invalid", "80", targets, error), 0);
	cr_expect(strstr(error, "300.1.1.1.example.invalid"), "%s", error);
}
