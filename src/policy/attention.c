#include "policy/attention.h"

static const uint64_t second_ns = 1000000000, ms_ns = 1000000;

static bool reaches(uint32_t n, uint32_t per_second, uint64_t elapsed_ns)
{
	return n * second_ns >= per_second * elapsed_ns;
}

static bool are_many(const struct attention *attention, uint32_t per_second, uint64_t elapsed_ns)
{
	return reaches(attention->n, per_second, elapsed_ns) || attention->n_others / 2 >= per_second;
}

static void begin_window(struct attention *attention, uint64_t now_ns)
{
	attention->window_ns = now_ns;
	attention->n = 0;
	attention->is_near_limit = false;
}

static bool turn(struct attention *attention, uint64_t now_ns)
{
	attention->is_asking = !attention->is_asking;
	attention->calm_ns = now_ns;
	begin_window(attention, now_ns);
	return true;
}

static bool judge_window(struct attention *attention, uint64_t elapsed_ns, uint64_t now_ns)
{
	if (!attention->is_asking)
		return attention->max && are_many(attention, attention->max, elapsed_ns) &&
		       !attention->is_near_limit && now_ns >= attention->hold_ns;
	if (are_many(attention, (attention->max + 1) / 2, elapsed_ns))
		attention->calm_ns = now_ns;
	return now_ns - attention->calm_ns >= ATTENTION_CALM_MS * ms_ns;
}

bool attention_judge(struct attention *attention, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - attention->window_ns;
	if (attention->is_near_limit)
		attention->hold_ns = now_ns + ATTENTION_HOLD_MS * ms_ns;
	if (attention->is_asking && attention->is_near_limit)
		return turn(attention, now_ns);
	if (elapsed_ns < ATTENTION_WINDOW_MS * ms_ns)
		return false;
	if (judge_window(attention, elapsed_ns, now_ns))
		return turn(attention, now_ns);
	begin_window(attention, now_ns);
	return false;
}
