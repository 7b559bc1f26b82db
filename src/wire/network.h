/*
 * A network of IP addresses, in the 20 bytes that travel from the supervisor to an acceptor.
 */
#ifndef FDSUP_WIRE_NETWORK_H
#define FDSUP_WIRE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/endpoint.h"

struct network {
	uint16_t family; /* AF_INET or AF_INET6 */
	uint16_t prefix; /* bits that count: 0 to 32, or to 128 */
	uint8_t ip[16];  /* as struct endpoint; zeros behind the prefix */
};
_Static_assert(sizeof(struct network) == 20, "an array of them is handed over as it is");

/* An IPv4 client is never in an IPv6 network, nor the other way round. */
bool network_contains(const struct network *network, const struct endpoint *address);

#endif
