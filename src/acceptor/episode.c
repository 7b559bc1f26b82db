#include "acceptor/episode.h"

#include <stdlib.h>

void episodes_fini(struct episodes *episodes)
{
	free(episodes->kinds);
	episodes->kinds = NULL;
}

bool episode_happened(struct episodes *episodes, enum episode_kind kind, uint64_t now_ns)
{
	if (!episodes->kinds)
		episodes->kinds = calloc(EPISODE_KINDS, sizeof *episodes->kinds);
	if (!episodes->kinds)
		return true; /* rather say it again than not at all */
	struct episode *episode = &episodes->kinds[kind];
	bool is_new = !episode->begin_ns;
	if (is_new)
		episode->begin_ns = now_ns;
	episode->last_ns = now_ns;
	episode->n_times++;
	return is_new;
}

void episode_lasts(struct episodes *episodes, enum episode_kind kind, uint64_t now_ns)
{
	if (episodes->kinds && episodes->kinds[kind].begin_ns)
		episodes->kinds[kind].last_ns = now_ns;
}

void episode_refused(struct episodes *episodes, enum episode_kind kind)
{
	if (episodes->kinds && episodes->kinds[kind].begin_ns)
		episodes->kinds[kind].n_refused++;
}

uint64_t episodes_check_ns(const struct episodes *episodes)
{
	uint64_t check_ns = UINT64_MAX;
	for (int kind = 0; episodes->kinds && kind < EPISODE_KINDS; kind++) {
		const struct episode *episode = &episodes->kinds[kind];
		if (episode->begin_ns && episode->last_ns + EPISODE_QUIET_NS < check_ns)
			check_ns = episode->last_ns + EPISODE_QUIET_NS;
	}
	return check_ns;
}

bool episodes_end_one(struct episodes *episodes, uint64_t now_ns, enum episode_kind *ret_kind,
	struct episode *ret_episode)
{
	for (int kind = 0; episodes->kinds && kind < EPISODE_KINDS; kind++) {
		struct episode *episode = &episodes->kinds[kind];
		if (!episode->begin_ns || episode->last_ns + EPISODE_QUIET_NS > now_ns)
			continue;
		*ret_kind = (enum episode_kind)kind;
		*ret_episode = *episode;
		*episode = (struct episode){ 0 };
		if (episodes_check_ns(episodes) == UINT64_MAX)
			episodes_fini(episodes);
		return true;
	}
	return false;
}
