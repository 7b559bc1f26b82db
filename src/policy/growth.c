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
