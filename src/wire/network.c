#include "wire/network.h"

#include <string.h>

bool network_contains(const struct network *network, const struct endpoint *address)
{
	unsigned n_bytes = network->prefix / 8, n_bits = network->prefix % 8;
	if (network->family != address->family || memcmp(network->ip, address->ip, n_bytes) != 0)
		return false;
	uint8_t mask = (uint8_t)(0xff00 >> n_bits);
	return n_bits == 0 || ((network->ip[n_bytes] ^ address->ip[n_bytes]) & mask) == 0;
}
