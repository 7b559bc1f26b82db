/*
 * A token bucket in eight bytes: the generic cell rate algorithm (ITU-T I.371).
 *
 * Instead of counting tokens it keeps the moment at which the bucket will be full again. A token is
 * there as long as that moment is less than a whole burst away. A bucket of zeros is full.
 */
#ifndef FDSUP_POLICY_BUCKET_H
#define FDSUP_POLICY_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t full_ns; /* when the last token will have come back; in the past: it is full */
};

struct bucket_rule {
	uint64_t token_ns; /* a token comes back in this time; 0: no limit */
	uint64_t burst_ns; /* the time in which an empty bucket fills, less one token */
};

/* `count` tokens in `per_ms`, at most `burst` at once (0 means 1). Count or time 0: no limit. */
struct bucket_rule bucket_rule(uint32_t count, uint32_t per_ms, uint32_t burst);

/* How long until a token is there; 0: now. */
uint64_t bucket_wait_ns(const struct bucket *bucket, struct bucket_rule rule, uint64_t now_ns);

/* Takes a token. Only when bucket_wait_ns says 0. */
void bucket_take(struct bucket *bucket, struct bucket_rule rule, uint64_t now_ns);

/* Tokens that have been taken and have not come back; 0 without a limit. */
uint64_t bucket_used(const struct bucket *bucket, struct bucket_rule rule, uint64_t now_ns);

bool bucket_is_full(const struct bucket *bucket, uint64_t now_ns);

/* The rule has changed: a bucket owes at most one burst of the new rule. */
void bucket_adapt(struct bucket *bucket, struct bucket_rule rule, uint64_t now_ns);

#endif
