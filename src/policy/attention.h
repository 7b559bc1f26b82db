/*
 * Whether the kernel tells of each end of a connection, or is asked.
 *
 * What it tells it has a thread of its own write: for every TCP connection of the network namespace,
 * whoever's, some microseconds of processor time and two changes of process, on the processor that was
 * about to serve the next (measured: a fifth of the throughput of workers that do next to nothing).
 * A question costs less, and only for connections of ours; but it comes a few milliseconds after the end,
 * and then nobody knows any more how many bytes there were. So the kernel tells while connections come
 * at a rate at which that cannot be felt, and is asked beyond. Near a limit each end may be what the next
 * client waits for: there it tells, at any rate.
 */
#ifndef FDSUP_POLICY_ATTENTION_H
#define FDSUP_POLICY_ATTENTION_H

#include <stdbool.h>
#include <stdint.h>

enum {
	ATTENTION_WINDOW_MS = 50,
	ATTENTION_CALM_MS = 1000, /* as long there must be few */
	ATTENTION_HOLD_MS = 5000, /* after one was near a limit */
};

/* All zeros: the kernel tells, and nothing has been seen yet. */
struct attention {
	/*
	 * Connections a second, up to which it tells; from half as many on again; 0: always. Of those that
	 * others have, too, twice as many: over the loopback each has two ends.
	 */
	uint32_t max;
	uint32_t n_others; /* a second, ours included; whoever has others says so here */
	bool is_asking;
	bool is_near_limit;
	uint32_t n; /* connections in this window */
	uint64_t window_ns, calm_ns, hold_ns;
};

/* A connection of ours begins. `is_near_limit`: a few more, and its service or its source reaches a limit. */
static inline void attention_note(struct attention *attention, bool is_near_limit)
{
	attention->n++;
	attention->is_near_limit |= is_near_limit;
}

/* True: from now on it is the other way. To be called often, and at least once in a window while asking. */
bool attention_judge(struct attention *attention, uint64_t now_ns);

#endif
