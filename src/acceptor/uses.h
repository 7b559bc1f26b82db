/*
 * How many connections each worker of a service has taken, for the key max_uses. A pure data
 * structure; a service without the key pays for one pointer.
 */
#ifndef FDSUP_ACCEPTOR_USES_H
#define FDSUP_ACCEPTOR_USES_H

#include <stdbool.h>
#include <stdint.h>

struct use {
	int32_t pid;
	uint32_t n;
};

struct uses {
	struct use *items;
	uint32_t n_items;
	uint32_t room;
};

void uses_fini(struct uses *uses);

/*
 * One more for this worker. True once, when it has had as many as it may: max_uses less up to an
 * eighth, differently for each, so that workers which began together do not all go together.
 */
bool uses_count(struct uses *uses, int32_t pid, uint32_t max_uses);

/* The worker is gone; its number may come again. */
void uses_forget(struct uses *uses, int32_t pid);

#endif
