#include "policy/lapse.h"

static const uint64_t ms_ns = 1000000;

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The moment that lies a limit after another; of no limit it never comes. */
static uint64_t after(uint64_t since_ns, uint64_t limit_ms)
{
	return limit_ms ? since_ns + limit_ms * ms_ns : LAPSE_NEVER_NS;
}

uint64_t lapse_shortest_ns(const struct lapse_limits *limits)
{
	return min(after(0, limits->first_byte_ms),
		min(after(0, limits->silence_ms), after(0, limits->duration_ms)));
}

uint64_t lapse_first_look_ns(
	const struct lapse_limits *limits, uint64_t accepted_ns, uint64_t handed_ns)
{
	return min(after(handed_ns, limits->first_byte_ms),
		min(after(handed_ns, limits->silence_ms), after(accepted_ns, limits->duration_ms)));
}

/* What was there before we had it does not count against the client. */
static uint64_t quiet_since_ns(const struct lapse_facts *facts)
{
	uint64_t idle_ns = facts->idle_ms * ms_ns;
	uint64_t since_ns = idle_ns < facts->now_ns ? facts->now_ns - idle_ns : 0;
	return since_ns > facts->handed_ns ? since_ns : facts->handed_ns;
}

enum severance lapse_judge(
	const struct lapse_limits *limits, const struct lapse_facts *facts, uint64_t *ret_look_ns)
{
	uint64_t end_ns = after(facts->accepted_ns, limits->duration_ms);
	uint64_t look_ns = end_ns;
	if (end_ns <= facts->now_ns)
		return SEVERANCE_DURATION;
	if (facts->has_bytes && !facts->bytes_in) {
		uint64_t due_ns = after(facts->handed_ns, limits->first_byte_ms);
		if (due_ns <= facts->now_ns)
			return SEVERANCE_FIRST_BYTE;
		look_ns = min(look_ns, due_ns);
	}
	if (facts->has_idle) {
		uint64_t due_ns = after(quiet_since_ns(facts), limits->silence_ms);
		if (due_ns <= facts->now_ns)
			return SEVERANCE_SILENCE;
		look_ns = min(look_ns, due_ns);
	}
	*ret_look_ns = look_ns;
	return SEVERANCE_NONE;
}
