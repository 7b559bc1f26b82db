/*
 * A filter for the kernel's notices: of all connections that end on this host, let through those
 * whose local port may be ours. A pure function.
 *
 * The filter runs in the context of whoever closes a connection, and its length is bounded: ports
 * become ranges, and where there are too many of these, the ones with the smallest gaps between them
 * become one. It lets through too much then, never too little; who reads it looks up what is his.
 */
#ifndef FDSUP_ACCEPTOR_PORTFILTER_H
#define FDSUP_ACCEPTOR_PORTFILTER_H

#include <linux/filter.h>
#include <stdint.h>

enum { PORTFILTER_RANGES = 128, PORTFILTER_MAX = 6 * PORTFILTER_RANGES + 2 };

struct portset {
	uint64_t bits[65536 / 64];
};

static inline int portset_has(const struct portset *set, uint16_t port)
{
	return (int)(set->bits[port / 64] >> (port % 64) & 1);
}

static inline void portset_add(struct portset *set, uint16_t port)
{
	set->bits[port / 64] |= UINT64_C(1) << (port % 64);
}

/* Writes the program and returns its length. */
unsigned portfilter_make(const struct portset *set, struct sock_filter program[PORTFILTER_MAX]);

#endif
