#include "policy/admission.h"

#include <errno.h>
#include <stdlib.h>

#include "wire/scoreboard.h"

static const uint64_t second_ns = 1000000000;

const char *admission_limit_key(enum admission_limit limit)
{
	static const char *const keys[] = {
		[ADMISSION_WITHIN] = "none",
		[ADMISSION_MAX_CONNECTIONS] = "max_connections",
		[ADMISSION_RATE] = "rate",
		[ADMISSION_MAX_PER_SOURCE] = "max_per_source",
		[ADMISSION_RATE_PER_SOURCE] = "rate_per_source",
	};
	return keys[limit];
}

void admission_init(struct admission *admission, uint64_t seed)
{
	static const struct admission_limits none = { .overflow = OVERFLOW_WAIT };
	*admission = (struct admission){ .limits = &none, .seed = seed };
}

void admission_fini(struct admission *admission)
{
	if (admission->sources)
		sources_fini(admission->sources);
	free(admission->sources);
	admission->sources = NULL;
}

static int start_sources(struct admission *admission)
{
	admission->sources = malloc(sizeof *admission->sources);
	if (!admission->sources)
		return -ENOMEM;
	sources_init(admission->sources, admission->seed);
	sources_set_crowd(admission->sources, admission->live, admission->held);
	return 0;
}

int admission_set_limits(
	struct admission *admission, const struct admission_limits *limits, uint64_t now_ns)
{
	bool needs_sources = limits->max_per_source || limits->rate_per_source.token_ns;
	if (needs_sources && !admission->sources && start_sources(admission) < 0)
		return -ENOMEM;
	admission->limits = limits;
	bucket_adapt(&admission->bucket, limits->rate, now_ns);
	if (admission->sources)
		sources_adapt(admission->sources, limits->rate_per_source, now_ns);
	return 0;
}

static bool is_full(const struct admission *admission)
{
	uint32_t max = admission->limits->max_connections;
	return max && admission->live + admission->unknown >= max;
}

uint32_t admission_gate(const struct admission *admission, uint64_t now_ns, uint64_t *ret_open_ns)
{
	uint32_t paused = 0;
	*ret_open_ns = UINT64_MAX;
	if (admission->limits->overflow != OVERFLOW_WAIT)
		return 0;
	uint64_t wait_ns = bucket_wait_ns(&admission->bucket, admission->limits->rate, now_ns);
	if (wait_ns) {
		paused |= SCORE_PAUSED_RATE;
		*ret_open_ns = now_ns + wait_ns;
	}
	if (is_full(admission))
		paused |= SCORE_PAUSED_FULL;
	if (admission->held && admission->held >= admission->limits->held_max)
		paused |= SCORE_PAUSED_HELD;
	return paused;
}

bool admission_has_room(const struct admission *admission, uint32_t n)
{
	const struct admission_limits *limits = admission->limits;
	const struct sources *sources = admission->sources;
	uint64_t all = (uint64_t)admission->live + admission->unknown + n;
	if (admission->held || (limits->max_connections && all > limits->max_connections))
		return false;
	if (!limits->max_per_source || all <= limits->max_per_source)
		return true;
	/* Without memory it is not known which has most. */
	return sources && sources->most_live && sources->most_live + n <= limits->max_per_source;
}

uint32_t admission_source(struct admission *admission, const struct endpoint *peer, uint64_t now_ns)
{
	const struct admission_limits *limits = admission->limits;
	if (!limits->max_per_source && !limits->rate_per_source.token_ns)
		return SOURCE_CROWD;
	return sources_find(admission->sources, peer, now_ns);
}

/* Counts for a source; without sources the numbers of the service are all there is. */
static void count(struct admission *admission, uint32_t place, int live, int held)
{
	admission->live += (uint32_t)live;
	admission->held += (uint32_t)held;
	if (!admission->sources)
		return;
	sources_at(admission->sources, place)->held += (uint32_t)held;
	if (live > 0)
		sources_add_live(admission->sources, place);
	else if (live < 0)
		sources_remove_live(admission->sources, place);
}

static void settle(struct admission *admission, uint32_t place, uint64_t now_ns)
{
	if (admission->sources)
		sources_settle(admission->sources, place, now_ns);
}

static uint32_t held_of(const struct admission *admission, uint32_t place)
{
	return admission->sources ? sources_at(admission->sources, place)->held : admission->held;
}

static enum admission_limit service_limit(
	const struct admission *admission, uint64_t now_ns, uint64_t *ret_again_ns)
{
	uint64_t wait_ns = bucket_wait_ns(&admission->bucket, admission->limits->rate, now_ns);
	*ret_again_ns = UINT64_MAX;
	if (is_full(admission))
		return ADMISSION_MAX_CONNECTIONS;
	if (!wait_ns)
		return ADMISSION_WITHIN;
	*ret_again_ns = now_ns + wait_ns;
	return ADMISSION_RATE;
}

static enum admission_limit source_limit(
	const struct admission *admission, uint32_t place, uint64_t now_ns, uint64_t *ret_again_ns)
{
	const struct admission_limits *limits = admission->limits;
	*ret_again_ns = UINT64_MAX;
	if (!admission->sources)
		return ADMISSION_WITHIN;
	const struct source *source = sources_at(admission->sources, place);
	if (limits->max_per_source && source->live >= limits->max_per_source)
		return ADMISSION_MAX_PER_SOURCE;
	uint64_t wait_ns = bucket_wait_ns(&source->bucket, limits->rate_per_source, now_ns);
	if (!wait_ns)
		return ADMISSION_WITHIN;
	*ret_again_ns = now_ns + wait_ns;
	return ADMISSION_RATE_PER_SOURCE;
}

static enum admission_limit any_limit(
	const struct admission *admission, uint32_t place, uint64_t now_ns, uint64_t *ret_again_ns)
{
	enum admission_limit limit = source_limit(admission, place, now_ns, ret_again_ns);
	return limit == ADMISSION_WITHIN ? service_limit(admission, now_ns, ret_again_ns) : limit;
}

bool admission_is_flooding(const struct admission *admission, uint32_t place)
{
	return held_of(admission, place) * admission->limits->rate_per_source.token_ns > second_ns;
}

/* A connection must not overtake those of its source that wait in line already. */
static enum admission_limit arrival_limit(
	const struct admission *admission, uint32_t place, uint64_t now_ns)
{
	uint64_t again_ns;
	enum admission_limit limit = any_limit(admission, place, now_ns, &again_ns);
	if (limit == ADMISSION_WITHIN && held_of(admission, place) &&
		!admission_is_flooding(admission, place))
		return admission->limits->max_per_source ? ADMISSION_MAX_PER_SOURCE
							: ADMISSION_RATE_PER_SOURCE;
	return limit;
}

static void take_tokens(struct admission *admission, uint32_t place, uint64_t now_ns)
{
	bucket_take(&admission->bucket, admission->limits->rate, now_ns);
	if (admission->sources)
		sources_take(admission->sources, place, admission->limits->rate_per_source, now_ns);
}

static bool may_hold(const struct admission *admission, uint32_t place)
{
	uint32_t places = admission->limits->held_max, reserved = places / 4;
	if (admission->limits->overflow != OVERFLOW_WAIT || admission->held >= places)
		return false;
	uint32_t free = places - admission->held, held = held_of(admission, place);
	return !held || (free > reserved && held < free - reserved);
}

struct admission_answer admission_arrive(
	struct admission *admission, uint32_t place, uint64_t now_ns)
{
	enum admission_limit limit = arrival_limit(admission, place, now_ns);
	if (limit == ADMISSION_WITHIN) {
		take_tokens(admission, place, now_ns);
		count(admission, place, 1, 0);
		return (struct admission_answer){ ADMISSION_ADMIT, limit };
	}
	if (may_hold(admission, place)) {
		count(admission, place, 0, 1);
		return (struct admission_answer){ ADMISSION_HOLD, limit };
	}
	if (admission->limits->overflow == OVERFLOW_WAIT && admission_is_flooding(admission, place)) {
		count(admission, place, 0, 1);
		return (struct admission_answer){ ADMISSION_HOLD_NEWEST, limit };
	}
	settle(admission, place, now_ns);
	return (struct admission_answer){ ADMISSION_REFUSE, limit };
}

struct admission_answer admission_retry(
	struct admission *admission, uint32_t place, uint64_t now_ns, uint64_t *ret_again_ns)
{
	enum admission_limit limit = any_limit(admission, place, now_ns, ret_again_ns);
	if (limit != ADMISSION_WITHIN)
		return (struct admission_answer){ ADMISSION_HOLD, limit };
	take_tokens(admission, place, now_ns);
	count(admission, place, 1, -1);
	return (struct admission_answer){ ADMISSION_ADMIT, limit };
}

void admission_hold(struct admission *admission, uint32_t place)
{
	count(admission, place, 0, 1);
}

void admission_give_up(struct admission *admission, uint32_t place, uint64_t now_ns)
{
	count(admission, place, 0, -1);
	settle(admission, place, now_ns);
}

void admission_adopt(struct admission *admission, uint32_t place)
{
	count(admission, place, 1, 0);
}

void admission_set_unknown(struct admission *admission, uint32_t n)
{
	admission->unknown = n;
}

bool admission_end(struct admission *admission, uint32_t place, uint64_t now_ns)
{
	bool was_full = is_full(admission);
	count(admission, place, -1, 0);
	bool may_retry = admission->held && (was_full || held_of(admission, place));
	settle(admission, place, now_ns);
	return may_retry;
}
