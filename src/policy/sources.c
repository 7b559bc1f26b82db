#include "policy/sources.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 16 };

/* How long to leave a table alone in which a search has found next to nothing to forget. */
static const uint64_t sweep_pause_ns = 100000000;

void sources_init(struct sources *sources, uint64_t seed)
{
	*sources = (struct sources){ .seed = seed };
}

void sources_fini(struct sources *sources)
{
	free(sources->entries);
	free(sources->heads);
	free(sources->n_with);
	*sources = (struct sources){ 0 };
}

static uint64_t key_of(const struct endpoint *end)
{
	uint64_t key = 0;
	if (end->family == AF_UNIX)
		return end->unix_peer.uid;
	memcpy(&key, end->ip, end->family == AF_INET ? 4 : 8);
	return key;
}

static uint32_t *head_of(struct sources *sources, uint64_t key, uint16_t family)
{
	uint64_t hash = (key ^ sources->seed ^ family) * 0x9e3779b97f4a7c15u;
	hash = (hash ^ hash >> 32 ^ sources->seed >> 7) * 0xd6e8feb86659fd93u;
	return &sources->heads[hash >> 32 & (sources->capacity - 1)];
}

struct source *sources_at(struct sources *sources, uint32_t place)
{
	return place == SOURCE_CROWD ? &sources->crowd : &sources->entries[place];
}

/* ---- the busiest ----------------------------------------------------------------------------- */

static bool has_level(struct sources *sources, uint32_t level)
{
	if (level < sources->n_levels)
		return true;
	uint32_t n = level < SMALLEST ? SMALLEST : level + level / 2 + 1;
	uint32_t *n_with = realloc(sources->n_with, n * sizeof *n_with);
	if (!n_with)
		return false;
	memset(n_with + sources->n_levels, 0, (n - sources->n_levels) * sizeof *n_with);
	sources->n_with = n_with;
	sources->n_levels = n;
	return true;
}

/* One that was not counted is not taken away either. */
static void leave_level(struct sources *sources, uint32_t level)
{
	if (level && level < sources->n_levels && sources->n_with[level])
		sources->n_with[level]--;
}

static void enter_level(struct sources *sources, uint32_t level)
{
	if (level && has_level(sources, level))
		sources->n_with[level]++;
}

void sources_add_live(struct sources *sources, uint32_t place)
{
	struct source *source = sources_at(sources, place);
	leave_level(sources, source->live++);
	enter_level(sources, source->live);
	if (source->live > sources->most_live && source->live < sources->n_levels)
		sources->most_live = source->live;
}

/* The last one of the highest level goes but one level down. */
void sources_remove_live(struct sources *sources, uint32_t place)
{
	struct source *source = sources_at(sources, place);
	uint32_t before = source->live--;
	leave_level(sources, before);
	enter_level(sources, source->live);
	if (before == sources->most_live && before < sources->n_levels && !sources->n_with[before])
		sources->most_live = source->live;
}

void sources_set_crowd(struct sources *sources, uint32_t live, uint32_t held)
{
	sources->crowd.live = live;
	sources->crowd.held = held;
	enter_level(sources, live);
	if (live < sources->n_levels)
		sources->most_live = live;
}

void sources_take(struct sources *sources, uint32_t place, struct bucket_rule rule, uint64_t now_ns)
{
	struct bucket *bucket = &sources_at(sources, place)->bucket;
	bucket_take(bucket, rule, now_ns);
	if (bucket->full_ns > sources->fullest.full_ns)
		sources->fullest = *bucket;
}

/* ---- the table ------------------------------------------------------------------------------- */

static void forget(struct sources *sources, uint32_t place)
{
	struct source *source = &sources->entries[place];
	uint32_t *link = head_of(sources, source->key, source->family);
	while (*link != place)
		link = &sources->entries[*link].next;
	*link = source->next;
	*source = (struct source){ .next = sources->free };
	sources->free = place;
	sources->n--;
}

static bool is_idle(const struct source *source, uint64_t now_ns)
{
	return !source->live && !source->held && bucket_is_full(&source->bucket, now_ns);
}

void sources_settle(struct sources *sources, uint32_t place, uint64_t now_ns)
{
	if (place != SOURCE_CROWD && is_idle(&sources->entries[place], now_ns))
		forget(sources, place);
}

static void sweep(struct sources *sources, uint64_t now_ns)
{
	uint32_t before = sources->n;
	for (uint32_t place = 1; place < sources->capacity; place++)
		if (sources->entries[place].is_used)
			sources_settle(sources, place, now_ns);
	if (before - sources->n < sources->capacity / 8)
		sources->sweep_ns = now_ns + sweep_pause_ns;
}

/* Places stay where they are; the chains are made anew. */
static bool grow(struct sources *sources)
{
	uint32_t before = sources->capacity;
	uint32_t capacity = before ? before * 2 : SMALLEST;
	uint32_t *heads = calloc(capacity, sizeof *heads);
	struct source *entries = realloc(sources->entries, capacity * sizeof *entries);
	if (entries)
		sources->entries = entries;
	if (!heads || !entries) {
		free(heads);
		return false;
	}
	memset(entries + before, 0, (capacity - before) * sizeof *entries);
	free(sources->heads);
	sources->heads = heads;
	sources->capacity = capacity;
	sources->free = 0;
	for (uint32_t place = capacity - 1; place > 0; place--) {
		struct source *source = &entries[place];
		uint32_t *list = source->is_used ? head_of(sources, source->key, source->family)
						 : &sources->free;
		source->next = *list;
		*list = place;
	}
	return true;
}

static bool make_room(struct sources *sources, uint64_t now_ns)
{
	if (sources->free)
		return true;
	if (sources->capacity && now_ns >= sources->sweep_ns)
		sweep(sources, now_ns);
	return sources->free || (sources->capacity < SOURCES_MAX && grow(sources));
}

uint32_t sources_find(struct sources *sources, const struct endpoint *end, uint64_t now_ns)
{
	if (end->family == 0)
		return SOURCE_CROWD;
	uint64_t key = key_of(end);
	if (sources->capacity) {
		uint32_t place = *head_of(sources, key, end->family);
		for (; place; place = sources->entries[place].next)
			if (sources->entries[place].key == key &&
				sources->entries[place].family == end->family)
				return place;
	}
	if (!make_room(sources, now_ns))
		return SOURCE_CROWD;
	uint32_t place = sources->free;
	uint32_t *head = head_of(sources, key, end->family);
	sources->free = sources->entries[place].next;
	sources->entries[place] =
		(struct source){ .key = key, .next = *head, .family = end->family, .is_used = 1 };
	*head = place;
	sources->n++;
	return place;
}

void sources_adapt(struct sources *sources, struct bucket_rule rule, uint64_t now_ns)
{
	bucket_adapt(&sources->fullest, rule, now_ns);
	bucket_adapt(&sources->crowd.bucket, rule, now_ns);
	for (uint32_t place = 1; place < sources->capacity; place++)
		bucket_adapt(&sources->entries[place].bucket, rule, now_ns);
}
