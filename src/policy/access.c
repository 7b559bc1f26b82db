#include "policy/access.h"

static bool is_in(const struct network *networks, size_t n, const struct endpoint *client)
{
	for (size_t i = 0; i < n; i++)
		if (network_contains(&networks[i], client))
			return true;
	return false;
}

enum access_verdict access_judge(const struct access_rules *rules, const struct endpoint *client)
{
	if (client->family == AF_UNIX)
		return ACCESS_GRANTED;
	if (client->family != AF_INET && client->family != AF_INET6)
		return rules->n_deny ? ACCESS_DENIED
				     : (rules->has_allow ? ACCESS_NOT_ALLOWED : ACCESS_GRANTED);
	if (is_in(rules->deny, rules->n_deny, client))
		return ACCESS_DENIED;
	if (rules->has_allow && !is_in(rules->allow, rules->n_allow, client))
		return ACCESS_NOT_ALLOWED;
	return ACCESS_GRANTED;
}

const char *access_key(enum access_verdict verdict)
{
	return verdict == ACCESS_DENIED ? "deny" : "allow";
}
