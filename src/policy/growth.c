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
	uint32_t surplus = growth->least_idle;
	growth->mark_ms = 0;
	if (n <= n_min)
		return 0;
	return surplus < n - n_min ? surplus : n - n_min;
}
