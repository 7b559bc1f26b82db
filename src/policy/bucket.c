#include "policy/bucket.h"

/* A century and a half: sums with a time of day stay far from the end of the type. */
static const uint64_t longest_ns = UINT64_C(1) << 62;

struct bucket_rule bucket_rule(uint32_t count, uint32_t per_ms, uint32_t burst)
{
	if (!count || !per_ms)
		return (struct bucket_rule){ 0 };
	uint64_t token_ns = (uint64_t)per_ms * 1000000u / count;
	if (!token_ns)
		token_ns =
			1; /* more than a token a nanosecond is as good as no limit, yet a limit */
	uint64_t burst_ns;
	if (__builtin_mul_overflow(token_ns, burst ? burst - 1 : 0, &burst_ns) ||
		burst_ns > longest_ns)
		burst_ns = longest_ns;
	return (struct bucket_rule){ .token_ns = token_ns, .burst_ns = burst_ns };
}

uint64_t bucket_wait_ns(const struct bucket *bucket, struct bucket_rule rule, uint64_t now_ns)
{
	uint64_t bound_ns = now_ns + rule.burst_ns;
	return rule.token_ns && bucket->full_ns > bound_ns ? bucket->full_ns - bound_ns : 0;
}

void bucket_take(struct bucket *bucket, struct bucket_rule rule, uint64_t now_ns)
{
	if (!rule.token_ns)
		return;
	if (bucket->full_ns < now_ns)
		bucket->full_ns = now_ns;
	bucket->full_ns += rule.token_ns;
}

uint64_t bucket_used(const struct bucket *bucket, struct bucket_rule rule, uint64_t now_ns)
{
	if (!rule.token_ns || bucket->full_ns <= now_ns)
		return 0;
	return (bucket->full_ns - now_ns + rule.token_ns - 1) / rule.token_ns;
}

bool bucket_is_full(const struct bucket *bucket, uint64_t now_ns)
{
	return bucket->full_ns <= now_ns;
}

void bucket_adapt(struct bucket *bucket, struct bucket_rule rule, uint64_t now_ns)
{
	uint64_t bound_ns = now_ns + rule.burst_ns + rule.token_ns;
	if (bucket->full_ns > bound_ns)
		bucket->full_ns = bound_ns;
}
