#include "policy/growth.h"

enum growth_verdict growth_look(struct growth *growth, uint32_t depth, uint32_t n, uint32_t n_max)
{
	if (depth == 0) {
		growth->occupied = 0;
		return GROWTH_REST;
	}
	if (++growth->occupied < GROWTH_LOOKS)
		return GROWTH_WAIT;
	growth->occupied = 0;
	return n < n_max ? GROWTH_GROW : GROWTH_FULL;
}

uint32_t growth_surplus(
	struct growth *growth, uint32_t n, uint32_t n_min, uint32_t busy, uint64_t now_ms)
{
	uint32_t idle = busy < n ? n - busy : 0;
	if (growth->mark_ms == 0 || idle < growth->least_idle)
		growth->least_idle = idle;
	if (growth->mark_ms == 0)
		growth->mark_ms = now_ms;
	if (now_ms - growth->mark_ms < GROWTH_MARK_MS)
		return 0;
	uint32_t spare = n > n_min ? n - n_min : 0;
	uint32_t surplus = growth->least_idle < spare ? growth->least_idle : spare;
	/* The next minute begins now, and not with the next look, which may be a minute away. */
	growth->mark_ms = now_ms;
	growth->least_idle = idle - surplus;
	return surplus;
}

uint64_t growth_mark_left_ms(const struct growth *growth, uint64_t now_ms)
{
	uint64_t end_ms = growth->mark_ms + GROWTH_MARK_MS;
	return growth->mark_ms && end_ms > now_ms ? end_ms - now_ms : 0;
}
