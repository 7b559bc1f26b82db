/*
 * Entries of the ledger to look at again, each when it is due: a ring in the order of their times. Whoever
 * comes gets the same delay as all others of a ring, so the first is always due first. A pure data
 * structure.
 */
#ifndef FDSUP_ACCEPTOR_DUERING_H
#define FDSUP_ACCEPTOR_DUERING_H

#include <stddef.h>
#include <stdint.h>

/* Its place may be another one's by then, or nobody's: compare the id. */
struct due_item {
	uint64_t id;
	uint64_t due_ns;
	uint32_t place;
};

/* All zeros: an empty one. */
struct due_ring {
	struct due_item *items;
	uint32_t first, n, capacity; /* a power of two, or 0 */
};

/* 0 or -ENOMEM. */
int due_ring_push(struct due_ring *ring, const struct due_item *item);

/* NULL: there is none. Until the next push. */
static inline const struct due_item *due_ring_first(const struct due_ring *ring)
{
	return ring->n ? &ring->items[ring->first] : NULL;
}

/* A large one that is empty gives its memory back. */
void due_ring_drop_first(struct due_ring *ring);

void due_ring_clear(struct due_ring *ring);

#endif
