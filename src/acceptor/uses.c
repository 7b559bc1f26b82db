#include "acceptor/uses.h"

#include <stdlib.h>

void uses_fini(struct uses *uses)
{
	free(uses->items);
	*uses = (struct uses){ 0 };
}

/* Neighbouring numbers go far apart: Fibonacci hashing. */
static uint32_t limit_of(int32_t pid, uint32_t max_uses)
{
	uint32_t hash = (uint32_t)pid * UINT32_C(2654435769);
	return max_uses - (uint32_t)((uint64_t)hash * (max_uses / 8 + 1) >> 32);
}

static struct use *find(struct uses *uses, int32_t pid)
{
	for (uint32_t i = 0; i < uses->n_items; i++)
		if (uses->items[i].pid == pid)
			return &uses->items[i];
	return NULL;
}

/* NULL: out of memory; the worker is then replaced later, or not. */
static struct use *add(struct uses *uses, int32_t pid)
{
	if (uses->n_items == uses->room) {
		uint32_t room = uses->room ? uses->room * 2 : 8;
		struct use *items = realloc(uses->items, room * sizeof *items);
		if (!items)
			return NULL;
		uses->items = items;
		uses->room = room;
	}
	uses->items[uses->n_items] = (struct use){ .pid = pid };
	return &uses->items[uses->n_items++];
}

bool uses_count(struct uses *uses, int32_t pid, uint32_t max_uses)
{
	struct use *use = find(uses, pid);
	if (!use)
		use = add(uses, pid);
	return use && ++use->n == limit_of(pid, max_uses);
}

void uses_forget(struct uses *uses, int32_t pid)
{
	struct use *use = find(uses, pid);
	if (use)
		*use = uses->items[--uses->n_items];
}
