/* The promises of a token bucket, with made-up times. */
#include <criterion/criterion.h>

#include "policy/bucket.h"

static const uint64_t s = 1000000000;

static unsigned take_all(struct bucket *bucket, struct bucket_rule rule, uint64_t now_ns)
{
	unsigned n = 0;
	for (; n < 1000 && !bucket_wait_ns(bucket, rule, now_ns); n++)
		bucket_take(bucket, rule, now_ns);
	return n;
}

Test(bucket, starts_with_a_whole_burst)
{
	struct bucket bucket = { 0 };
	cr_assert_eq(take_all(&bucket, bucket_rule(10, 1000, 5), 100 * s), 5);
}

Test(bucket, gains_tokens_at_its_rate_and_no_more_than_a_burst)
{
	struct bucket bucket = { 0 };
	struct bucket_rule rule = bucket_rule(10, 1000, 5);
	take_all(&bucket, rule, 100 * s);
	cr_expect_eq(take_all(&bucket, rule, 100 * s + s / 10 - 1), 0);
	cr_expect_eq(take_all(&bucket, rule, 100 * s + s / 10), 1);
	cr_expect_eq(take_all(&bucket, rule, 100 * s + s / 10 + 3 * s / 10), 3);
	cr_expect_eq(take_all(&bucket, rule, 200 * s), 5);
}

Test(bucket, tells_exactly_when_the_next_token_is_due)
{
	struct bucket bucket = { 0 };
	struct bucket_rule rule = bucket_rule(3, 60000, 1);
	bucket_take(&bucket, rule, s);
	uint64_t wait_ns = bucket_wait_ns(&bucket, rule, s);
	cr_expect_eq(wait_ns, 20 * s);
	cr_expect_neq(bucket_wait_ns(&bucket, rule, s + wait_ns - 1), 0);
	cr_expect_eq(bucket_wait_ns(&bucket, rule, s + wait_ns), 0);
}

Test(bucket, without_a_rate_never_waits)
{
	static const struct {
		uint32_t count, per_ms;
	} none[] = { { 0, 1000 }, { 10, 0 }, { 0, 0 } };
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		struct bucket bucket = { 0 };
		cr_expect_eq(
			take_all(&bucket, bucket_rule(none[i].count, none[i].per_ms, 1), s), 1000);
	}
}

Test(bucket, with_a_burst_of_zero_still_lets_one_through)
{
	struct bucket bucket = { 0 };
	cr_assert_eq(take_all(&bucket, bucket_rule(1, 1000, 0), s), 1);
}

Test(bucket, survives_the_largest_numbers)
{
	static const uint32_t values[] = { 1, 2, UINT32_MAX - 1, UINT32_MAX };
	for (int i = 0; i < 64; i++) {
		struct bucket_rule rule =
			bucket_rule(values[i % 4], values[i / 4 % 4], values[i / 16]);
		struct bucket bucket = { 0 };
		cr_expect_gt(rule.token_ns, 0);
		cr_expect_eq(bucket_wait_ns(&bucket, rule, s), 0);
		for (int n = 0; n < 3 && !bucket_wait_ns(&bucket, rule, s); n++)
			bucket_take(&bucket, rule, s);
		cr_expect_eq(bucket_wait_ns(&bucket, rule, UINT64_C(1) << 62), 0);
	}
}

Test(bucket, knows_how_much_of_it_is_used)
{
	struct bucket bucket = { 0 };
	struct bucket_rule rule = bucket_rule(2, 1000, 5);
	cr_expect_eq(bucket_used(&bucket, rule, 10 * s), 0);
	take_all(&bucket, rule, 10 * s);
	cr_expect_eq(bucket_used(&bucket, rule, 10 * s), 5);
	cr_expect_eq(bucket_used(&bucket, rule, 11 * s), 3);
	cr_expect_eq(bucket_used(&bucket, rule, 11 * s + s / 4), 3);
	cr_expect_eq(bucket_used(&bucket, rule, 13 * s), 0);
	cr_expect_eq(bucket_used(&bucket, bucket_rule(0, 0, 0), 10 * s), 0);
}

Test(bucket, owes_at_most_one_burst_of_a_new_rule)
{
	struct bucket bucket = { 0 };
	struct bucket_rule slow = bucket_rule(1, 86400000, 10), fast = bucket_rule(1, 1000, 2);
	take_all(&bucket, slow, s);
	bucket_adapt(&bucket, fast, s);
	cr_expect_eq(bucket_wait_ns(&bucket, fast, s), s);
	cr_expect(bucket_is_full(&bucket, 3 * s));
}
