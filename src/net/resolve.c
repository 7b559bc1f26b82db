#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_wildcard(const char *address)
{
	return !*address || !strcmp(address, "*") || !strcmp(address, "-");
}

/* getaddrinfo(3) would take 65616 for 80. */
static bool parse_port(const char *port, uint16_t *ret_port)
{
	if (!*port)
		return false;
	char *end;
	unsigned long number = strtoul(port, &end, 10);
	if (*port >= '0' && *port <= '9' && !*end && number <= UINT16_MAX) {
		*ret_port = (uint16_t)number;
		return true;
	}
	if (*port >= '0' && *port <= '9' && !*end)
		return false;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *list;
	if (getaddrinfo(NULL, port, &hints, &list))
		return false;
	*ret_port = endpoint_from_sockaddr(list->ai_addr).port;
	freeaddrinfo(list);
	return true;
}

static bool is_known(const struct listen_target list[], int n, const struct endpoint *address)
{
	for (int i = 0; i < n; i++)
		if (!memcmp(&list[i].address, address, sizeof *address))
			return true;
	return false;
}

static const char *describe(int error)
{
	return error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
}

int resolve_listen(const char *address, const char *port, struct listen_target ret[RESOLVE_MAX],
	char ret_error[RESOLVE_ERROR_SIZE])
{
	uint16_t number;
	if (!parse_port(port, &number)) {
		snprintf(ret_error, RESOLVE_ERROR_SIZE,
			"port \"%.64s\": neither a number up to 65535 nor a TCP service in "
			"/etc/services",
			port);
		return -1;
	}
	if (is_wildcard(address)) {
		ret[0] = (struct listen_target){
			.address = { .family = AF_INET6, .port = number },
			.is_both_families = true,
		};
		return 1;
	}
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *list;
	int error = getaddrinfo(address, NULL, &hints, &list);
	if (error) {
		snprintf(ret_error, RESOLVE_ERROR_SIZE,
			"address \"%.128s\": %s; give an address of this host, a name that has "
			"one, or \"*\"",
			address, describe(error));
		return -1;
	}
	int n = 0;
	for (const struct addrinfo *info = list; info && n < RESOLVE_MAX; info = info->ai_next) {
		struct endpoint end = endpoint_from_sockaddr(info->ai_addr);
		end.port = number;
		if (end.family && !is_known(ret, n, &end))
			ret[n++] = (struct listen_target){ .address = end };
	}
	freeaddrinfo(list);
	if (!n)
		snprintf(ret_error, RESOLVE_ERROR_SIZE,
			"address \"%.128s\" has neither IPv4 nor IPv6", address);
	return n ? n : -1;
}
