#include "builtin/caution.h"

#include <netinet/in.h>
#include <string.h>

enum { LOW_PORTS = 1024 };

static bool is_one_host(const struct endpoint *end)
{
	static const uint8_t none[16];
	switch (end->family) {
	case AF_INET:
		/* Multicast, reserved and broadcast begin at 224. */
		return end->ip[0] != 0 && end->ip[0] < 224;
	case AF_INET6:
		return end->ip[0] != 0xff && memcmp(end->ip, none, sizeof none) != 0;
	default:
		return false;
	}
}

static bool is_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port &&
	       !memcmp(a->ip, b->ip, a->family == AF_INET ? 4 : 16);
}

enum verdict caution_judge(const struct caution *caution, const struct endpoint *peer,
	const struct endpoint *local, bool is_unicast)
{
	if (peer->port < LOW_PORTS)
		return VERDICT_LOW_PORT;
	for (size_t i = 0; i < caution->n_ports; i++)
		if (peer->port == caution->ports[i])
			return VERDICT_SERVICE;
	if (is_same(peer, local))
		return VERDICT_OURSELVES;
	if (!is_unicast || !is_one_host(peer) || !is_one_host(local))
		return VERDICT_MANY;
	return VERDICT_ANSWER;
}

const char *verdict_text(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_LOW_PORT:
		return "its source port is below 1024, where services live";
	case VERDICT_SERVICE:
		return "its source port is that of another small service";
	case VERDICT_OURSELVES:
		return "it claims to come from ourselves";
	case VERDICT_MANY:
		return "it came from or went to more than one host";
	case VERDICT_ANSWER:
		break;
	}
	return "";
}
