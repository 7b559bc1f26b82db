#include "acceptor/portfilter.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <string.h>

struct range {
	uint16_t first, last;
};

static const unsigned port_offset = NLMSG_HDRLEN + offsetof(struct inet_diag_msg, id.idiag_sport);

/* Joins the two neighbours with the fewest ports between them. */
static void join_nearest(struct range ranges[], unsigned n)
{
	unsigned best = 0;
	for (unsigned i = 1; i + 1 < n; i++)
		if (ranges[i + 1].first - ranges[i].last < ranges[best + 1].first - ranges[best].last)
			best = i;
	ranges[best].last = ranges[best + 1].last;
	memmove(&ranges[best + 1], &ranges[best + 2], (n - best - 2) * sizeof *ranges);
}

static unsigned find_ranges(const struct portset *set, struct range ranges[PORTFILTER_RANGES + 1])
{
	unsigned n = 0;
	for (unsigned port = 0; port < 65536; port++) {
		if (port % 64 == 0 && !set->bits[port / 64]) {
			port += 63;
			continue;
		}
		if (!portset_has(set, (uint16_t)port))
			continue;
		if (n && ranges[n - 1].last + 1U == port) {
			ranges[n - 1].last = (uint16_t)port;
			continue;
		}
		ranges[n++] = (struct range){ (uint16_t)port, (uint16_t)port };
		if (n > PORTFILTER_RANGES)
			join_nearest(ranges, n--);
	}
	return n;
}

static const struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
static const struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);

/*
 * A search in halves, six instructions a range. A conditional jump reaches 255 of them, so the lower
 * half, which lies behind the upper, is reached by an unconditional one.
 */
static unsigned emit(
	const struct range ranges[], unsigned n, struct sock_filter program[], unsigned at)
{
	if (n == 0) {
		program[at] = drop;
		return at + 1;
	}
	if (n == 1) {
		program[at] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JGE | BPF_K, ranges->first, 0, 2);
		program[at + 1] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JGT | BPF_K, ranges->last, 1, 0);
		program[at + 2] = pass;
		program[at + 3] = drop;
		return at + 4;
	}
	unsigned middle = n / 2;
	program[at] = (struct sock_filter)BPF_JUMP(
		BPF_JMP | BPF_JGE | BPF_K, ranges[middle].first, 1, 0);
	unsigned below = at + 1;
	unsigned above = at + 2;
	at = emit(ranges + middle, n - middle, program, above);
	program[below] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, at - below - 1);
	return emit(ranges, middle, program, at);
}

unsigned portfilter_make(const struct portset *set, struct sock_filter program[PORTFILTER_MAX])
{
	struct range ranges[PORTFILTER_RANGES + 1];
	unsigned n = find_ranges(set, ranges);
	program[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_ABS, port_offset);
	return emit(ranges, n, program, 1);
}
