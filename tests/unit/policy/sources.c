/* The promises of the table of sources. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>

#include "policy/sources.h"

static struct endpoint end(const char *text)
{
	struct endpoint result = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	cr_assert_eq(inet_pton(result.family, text, result.ip), 1);
	return result;
}

static struct endpoint numbered(uint32_t number)
{
	struct endpoint result = { .family = AF_INET };
	memcpy(result.ip, &number, 4);
	return result;
}

static struct sources sources;

static void setup(void)
{
	sources_init(&sources, 0x5eed);
}

static void teardown(void)
{
	sources_fini(&sources);
}

TestSuite(sources, .init = setup, .fini = teardown);

static uint32_t find(const char *text)
{
	struct endpoint e = end(text);
	return sources_find(&sources, &e, 1);
}

Test(sources, finds_a_source_again)
{
	uint32_t place = find("192.0.2.1");
	cr_assert_neq(place, SOURCE_CROWD);
	cr_expect_eq(find("192.0.2.1"), place);
	cr_expect_neq(find("192.0.2.2"), place);
}

Test(sources, takes_an_ipv6_customer_for_one)
{
	uint32_t place = find("2001:db8:1:2::1");
	cr_expect_eq(find("2001:db8:1:2:ffff::9"), place);
	cr_expect_neq(find("2001:db8:1:3::1"), place);
}

Test(sources, takes_a_local_user_for_one_whatever_the_process)
{
	struct endpoint a = { .family = AF_UNIX, .unix_peer = { .uid = 7, .gid = 1, .pid = 100 } };
	struct endpoint b = { .family = AF_UNIX, .unix_peer = { .uid = 7, .gid = 2, .pid = 101 } };
	struct endpoint c = { .family = AF_UNIX, .unix_peer = { .uid = 8, .gid = 1, .pid = 100 } };
	struct endpoint unknown = { 0 };
	uint32_t place = sources_find(&sources, &a, 1);
	cr_expect_neq(place, SOURCE_CROWD);
	cr_expect_eq(sources_find(&sources, &b, 1), place);
	cr_expect_neq(sources_find(&sources, &c, 1), place);
	cr_expect_eq(sources_find(&sources, &unknown, 1), SOURCE_CROWD, "of which nothing is known");
}

Test(sources, tells_families_with_the_same_bytes_apart)
{
	cr_expect_neq(find("32.1.13.184"), find("2001:db8::"));
}

Test(sources, forgets_one_that_has_no_connection_and_owes_no_token)
{
	uint32_t place = find("192.0.2.1");
	sources_at(&sources, place)->live = 1;
	sources_settle(&sources, place, 10);
	cr_expect_eq(sources.n, 1);
	sources_at(&sources, place)->live = 0;
	sources_at(&sources, place)->bucket.full_ns = 20;
	sources_settle(&sources, place, 10);
	cr_expect_eq(sources.n, 1);
	sources_settle(&sources, place, 20);
	cr_expect_eq(sources.n, 0);
}

Test(sources, keeps_places_valid_while_it_grows)
{
	enum { N = 1000 };
	uint32_t places[N];
	for (uint32_t i = 0; i < N; i++) {
		struct endpoint e = numbered(i);
		places[i] = sources_find(&sources, &e, 1);
		sources_at(&sources, places[i])->live = i + 1;
	}
	for (uint32_t i = 0; i < N; i++) {
		struct endpoint e = numbered(i);
		cr_assert_eq(sources_find(&sources, &e, 1), places[i]);
		cr_assert_eq(sources_at(&sources, places[i])->live, i + 1);
	}
}

static void fill(void)
{
	uint32_t place;
	for (uint32_t i = 0;; i++) {
		struct endpoint e = numbered(i);
		place = sources_find(&sources, &e, 1);
		if (place == SOURCE_CROWD)
			break;
		sources_at(&sources, place)->live = 1;
		cr_assert_lt(i, SOURCES_MAX);
	}
}

Test(sources, is_bounded_and_puts_newcomers_into_the_crowd)
{
	fill();
	cr_expect_leq(sources.capacity, SOURCES_MAX);
	cr_expect_eq(find("198.51.100.1"), SOURCE_CROWD);
	struct endpoint known = numbered(7);
	cr_expect_neq(sources_find(&sources, &known, 2), SOURCE_CROWD);
}

Test(sources, makes_room_when_sources_have_become_idle)
{
	fill();
	for (uint32_t place = 1; place < sources.capacity; place += 2)
		sources_at(&sources, place)->live = 0;
	struct endpoint e = end("198.51.100.1");
	cr_expect_neq(sources_find(&sources, &e, 1000000000), SOURCE_CROWD);
}

Test(sources, knows_what_the_busiest_has_whatever_comes_and_goes)
{
	enum { N = 40 };
	uint32_t places[N], live[N] = { 0 }, seed = 7;
	for (uint32_t i = 0; i < N; i++) {
		struct endpoint e = numbered(i + 1);
		places[i] = sources_find(&sources, &e, 1);
		live[i] = 1; /* one that has none may be forgotten */
		sources_add_live(&sources, places[i]);
	}
	for (int step = 0; step < 20000; step++) {
		seed = seed * 1103515245 + 12345;
		uint32_t i = seed >> 16 & 7 ? (seed >> 20) % N : 0, most = 0;
		bool is_more = !live[i] || (seed >> 8) % (step < 10000 ? 3 : 2);
		live[i] += is_more ? 1 : -1U;
		if (is_more)
			sources_add_live(&sources, places[i]);
		else
			sources_remove_live(&sources, places[i]);
		for (uint32_t other = 0; other < N; other++)
			most = live[other] > most ? live[other] : most;
		cr_assert_eq(sources.most_live, most, "step %d: %u, not %u", step, sources.most_live, most);
	}
}

Test(sources, counts_the_crowd_for_one)
{
	sources_set_crowd(&sources, 5, 0);
	cr_expect_eq(sources.most_live, 5);
	sources_remove_live(&sources, SOURCE_CROWD);
	cr_expect_eq(sources.most_live, 4);
	uint32_t place = find("192.0.2.1");
	for (int i = 0; i < 6; i++)
		sources_add_live(&sources, place);
	cr_expect_eq(sources.most_live, 6);
}

Test(sources, knows_who_has_used_most_of_its_rate)
{
	const uint64_t s = 1000000000;
	struct bucket_rule rule = bucket_rule(1, 1000, 10);
	uint32_t a = find("192.0.2.1"), b = find("192.0.2.2");
	for (int i = 0; i < 3; i++)
		sources_take(&sources, a, rule, 100 * s);
	sources_take(&sources, b, rule, 100 * s);
	cr_expect_eq(bucket_used(&sources.fullest, rule, 100 * s), 3);
	cr_expect_eq(bucket_used(&sources.fullest, rule, 102 * s), 1);
	cr_expect_eq(bucket_used(&sources.fullest, rule, 103 * s), 0);
}
