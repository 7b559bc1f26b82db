/*
 * Entries of allow and deny: "192.0.2.0/24", "192.0.2.7", "2001:db8::/32". A bad one is an error and
 * never skipped: what xinetd drops from no_access with a warning lets everybody in.
 */
#ifndef FDSUP_CONFIG_NETWORKS_H
#define FDSUP_CONFIG_NETWORKS_H

#include "wire/network.h"

enum { NETWORK_REASON_SIZE = 320 };

/* An IPv4 address in IPv6's clothes becomes IPv4. 0, or -EINVAL with the reason and the remedy. */
int network_parse(const char *text, struct network *ret, char reason[NETWORK_REASON_SIZE]);

#endif
