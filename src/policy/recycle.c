#include "policy/recycle.h"

double recycle_share(double chance)
{
	return 0.9 + 0.2 * chance;
}

uint64_t recycle_limit(uint64_t max_rss, double share)
{
	return (uint64_t)((double)max_rss * share);
}

size_t recycle_choose(const struct recycle_worker *workers, size_t n, uint64_t max_rss)
{
	size_t chosen = n;
	uint64_t most = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t limit = recycle_limit(max_rss, workers[i].share);
		if (workers[i].is_changing)
			return n;
		if (workers[i].rss <= limit || workers[i].rss - limit <= most)
			continue;
		most = workers[i].rss - limit;
		chosen = i;
	}
	return chosen;
}
