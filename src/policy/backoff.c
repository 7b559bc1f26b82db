#include "policy/backoff.h"

#include <string.h>

static uint64_t spread(uint64_t delay_ms, double chance)
{
	return (uint64_t)((double)delay_ms * (0.8 + 0.4 * chance) + 0.5);
}

static uint64_t doubled(uint64_t delay_ms, uint64_t max_ms, uint32_t times)
{
	while (times-- && delay_ms < max_ms)
		delay_ms *= 2;
	return delay_ms < max_ms ? delay_ms : max_ms;
}

/* Whether, with this one, the allowed number of early deaths lies within the allowed time. */
static bool is_too_many(struct backoff *backoff, const struct backoff_rule *rule, uint64_t now_ms)
{
	uint32_t allowed = rule->give_up_deaths;
	if (allowed > BACKOFF_DEATHS_KEPT)
		allowed = BACKOFF_DEATHS_KEPT;
	backoff->times_ms[backoff->n_times % BACKOFF_DEATHS_KEPT] = (uint32_t)now_ms;
	backoff->n_times++;
	if (allowed == 0 || backoff->n_times < allowed)
		return false;
	uint32_t first_ms = backoff->times_ms[(backoff->n_times - allowed) % BACKOFF_DEATHS_KEPT];
	return (uint32_t)now_ms - first_ms <= rule->give_up_within_ms;
}

struct backoff_verdict backoff_on_death(
	struct backoff *backoff, const struct backoff_rule *rule, const struct backoff_death *death)
{
	if (death->age_ms >= BACKOFF_HEALTHY_MS || death->was_useful) {
		backoff_reset(backoff);
		return (struct backoff_verdict){ 0 };
	}
	if (death->is_clean && death->age_ms >= BACKOFF_CLEAN_MS) {
		/* Nothing is wrong, but a command that ends so soon must not spin. */
		backoff_reset(backoff);
		return (struct backoff_verdict){
			.is_early = true,
			.delay_ms = spread(rule->delay_ms, death->chance),
		};
	}
	uint64_t delay_ms = doubled(rule->delay_ms, rule->delay_max_ms, backoff->early_deaths);
	backoff->early_deaths++;
	return (struct backoff_verdict){
		.is_early = true,
		.give_up = is_too_many(backoff, rule, death->now_ms),
		.delay_ms = spread(delay_ms, death->chance),
	};
}

void backoff_reset(struct backoff *backoff)
{
	memset(backoff, 0, sizeof *backoff);
}
