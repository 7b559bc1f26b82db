/*
 * Allow and deny for sockets on which somebody else accepts or receives: a filter in the kernel
 * (socket(7), SO_ATTACH_FILTER) drops the packets of those who may not come in, so that for them
 * there is nobody. It looks at the source in the IP header, of whichever version.
 *
 * Connections inherit the filter of their listener; it lets theirs through. Some kernels let only
 * who has CAP_NET_ADMIN filter TCP.
 */
#ifndef FDSUP_NET_FILTER_H
#define FDSUP_NET_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "wire/network.h"

struct filter_rules {
	bool has_allow; /* only those of allow, even if there are none */
	const struct network *allow;
	size_t n_allow;
	const struct network *deny; /* wins */
	size_t n_deny;
};

/* Everybody may come in. */
static inline bool filter_is_empty(const struct filter_rules *rules)
{
	return !rules->has_allow && !rules->n_deny;
}

/* So many networks fit what any kernel takes (net.core.optmem_max of 20 KiB). */
enum { FILTER_NETWORKS_MAX = 160, FILTER_PROGRAM_MAX = 8 + 14 * FILTER_NETWORKS_MAX };

/* Writes the program and returns its length; 0: everybody may come in. -E2BIG. */
int filter_compile(const struct filter_rules *rules, struct sock_filter program[FILTER_PROGRAM_MAX]);

/* Replaces the filter that the socket has; no rules: takes it away. 0 or -errno. */
int filter_attach(int fd, const struct filter_rules *rules);

#endif
