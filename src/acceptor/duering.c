#include "acceptor/duering.h"

#include <errno.h>
#include <stdlib.h>

enum { SMALLEST = 64, LARGE = 4096 };

static int enlarge(struct due_ring *ring)
{
	uint32_t capacity = ring->capacity ? ring->capacity * 2 : SMALLEST;
	struct due_item *items = malloc(capacity * sizeof *items);
	if (!items)
		return -ENOMEM;
	for (uint32_t i = 0; i < ring->n; i++)
		items[i] = ring->items[(ring->first + i) & (ring->capacity - 1)];
	free(ring->items);
	ring->items = items;
	ring->capacity = capacity;
	ring->first = 0;
	return 0;
}

int due_ring_push(struct due_ring *ring, const struct due_item *item)
{
	int r = ring->n == ring->capacity ? enlarge(ring) : 0;
	if (r == 0)
		ring->items[(ring->first + ring->n++) & (ring->capacity - 1)] = *item;
	return r;
}

void due_ring_drop_first(struct due_ring *ring)
{
	ring->first = (ring->first + 1) & (ring->capacity - 1);
	if (--ring->n == 0 && ring->capacity >= LARGE)
		due_ring_clear(ring);
}

void due_ring_clear(struct due_ring *ring)
{
	free(ring->items);
	*ring = (struct due_ring){ 0 };
}
