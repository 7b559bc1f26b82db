#include "config/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/unix_name.h"
#include "config/problems.h"

static const char unix_prefix[] = "unix:";

static int refuse(char reason[LISTEN_REASON_SIZE], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(char reason[LISTEN_REASON_SIZE], const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason, LISTEN_REASON_SIZE, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static void remember_port(struct port_cache *cache, const char *name,
	enum service_protocol protocol, uint16_t port)
{
	struct port_entry *entry = &cache->entries[cache->next++ % LISTEN_PORT_CACHE_SIZE];
	snprintf(entry->name, sizeof entry->name, "%s", name);
	entry->protocol = protocol;
	entry->port = port;
}

int listen_find_port(struct port_cache *cache, const char *text, enum service_protocol protocol,
	uint16_t *ret_port, char reason[LISTEN_REASON_SIZE])
{
	char shown[QUOTE_SIZE], buffer[4096];
	struct servent record, *found = NULL;
	if (text[0] && !text[strspn(text, "0123456789")]) {
		*ret_port = (uint16_t)strtoul(text, NULL, 10);
		return 0;
	}
	for (size_t i = 0; i < LISTEN_PORT_CACHE_SIZE; i++)
		if (cache->entries[i].port && cache->entries[i].protocol == protocol &&
			!strcmp(cache->entries[i].name, text)) {
			*ret_port = cache->entries[i].port;
			return 0;
		}
	if (getservbyname_r(text, protocol_name(protocol), &record, buffer, sizeof buffer, &found) != 0 ||
		!found)
		return refuse(reason,
			"%s is not a %s port in /etc/services; write the number, or add it there",
			quote(shown, text), protocol == PROTOCOL_UDP ? "UDP" : "TCP");
	*ret_port = ntohs((uint16_t)found->s_port);
	if (strlen(text) < sizeof cache->entries[0].name)
		remember_port(cache, text, protocol, *ret_port);
	return 0;
}

bool listen_is_unix(const char *text)
{
	return !strncmp(text, unix_prefix, strlen(unix_prefix));
}

static int refuse_address(const char *text, char reason[LISTEN_REASON_SIZE])
{
	char shown[QUOTE_SIZE];
	struct in_addr in;
	size_t length = strcspn(text, ":");
	char host[INET_ADDRSTRLEN];
	quote(shown, text);
	snprintf(host, sizeof host, "%.*s", (int)length, text);
	if ((text[length] && inet_pton(AF_INET, host, &in) == 1) || strstr(text, "]:"))
		return refuse(reason, "%s holds a port; write it by the key \"port\"", shown);
	return refuse(reason,
		"%s is not an IPv4 or IPv6 address, and names are not looked up; write the "
		"address, "
		"or \"*\" for all",
		shown);
}

/* The interface behind the % of a link-local address. */
static int parse_scope(const char *text, const char *scope, const struct in6_addr *in6,
	uint32_t *ret_scope, char reason[LISTEN_REASON_SIZE])
{
	char shown[QUOTE_SIZE];
	bool is_local = IN6_IS_ADDR_LINKLOCAL(in6);
	quote(shown, text);
	if (!scope && is_local)
		return refuse(reason,
			"%s is link-local, so it needs an interface; write it behind a %%, as in "
			"\"fe80::1%%eth0\"",
			shown);
	if (!scope)
		return 0;
	if (!is_local)
		return refuse(reason,
			"only a link-local address has an interface; remove it from %s", shown);
	unsigned index = if_nametoindex(scope);
	if (!index && scope[0] && !scope[strspn(scope, "0123456789")] && strlen(scope) < 10)
		index = (unsigned)strtoul(scope, NULL, 10);
	if (!index)
		return refuse(
			reason, "there is no interface of this name in %s; correct it", shown);
	*ret_scope = index;
	return 0;
}

static int parse_ipv6(const char *text, struct endpoint *address, char reason[LISTEN_REASON_SIZE])
{
	char copy[INET6_ADDRSTRLEN + IF_NAMESIZE + 4], shown[QUOTE_SIZE];
	struct in6_addr in6;
	size_t length = strlen(text);
	bool has_brackets = length >= 2 && text[0] == '[' && text[length - 1] == ']';
	if (length >= sizeof copy)
		return refuse_address(text, reason);
	snprintf(copy, sizeof copy, "%.*s", (int)(length - (has_brackets ? 2 : 0)),
		text + has_brackets);
	char *scope = strchr(copy, '%');
	if (scope)
		*scope++ = 0;
	if (inet_pton(AF_INET6, copy, &in6) != 1)
		return refuse_address(text, reason);
	if (IN6_IS_ADDR_V4MAPPED(&in6))
		return refuse(reason, "%s is an IPv4 address in disguise; write it as IPv4",
			quote(shown, text));
	address->family = AF_INET6;
	memcpy(address->ip, &in6, sizeof in6);
	return parse_scope(text, scope, &in6, &address->scope, reason);
}

static int parse_unix(const char *text, char **ret_path, char reason[LISTEN_REASON_SIZE])
{
	char shown[QUOTE_SIZE];
	const char *path = text + strlen(unix_prefix);
	size_t length = strlen(path);
	quote(shown, text);
	if (length < 2 || (path[0] != '/' && path[0] != '@') || path[length - 1] == '/')
		return refuse(reason,
			"%s names no socket; write \"unix:/path\", or \"unix:@name\" without a file",
			shown);
	if (length > UNIX_NAME_MAX)
		return refuse(reason, "this %s has %zu bytes, a socket's may have %d; shorten it",
			path[0] == '@' ? "name (\"@\" counts)" : "path", length, UNIX_NAME_MAX);
	for (size_t i = 0; i < length; i++)
		if (path[i] < ' ' || path[i] > '~')
			return refuse(reason,
				"%s holds a character that is not printable ASCII; choose another path",
				shown);
	*ret_path = strdup(path);
	return *ret_path ? 0 : -ENOMEM;
}

int listen_parse_address(const char *text, uint16_t port, struct listen_address *ret_address,
	char reason[LISTEN_REASON_SIZE])
{
	struct listen_address address = { .address = { .port = port } };
	if (!strcmp(text, "*")) {
		address.address.family = AF_INET6;
		address.is_both_families = true;
	} else if (inet_pton(AF_INET, text, address.address.ip) == 1) {
		address.address.family = AF_INET;
	} else if (listen_is_unix(text)) {
		address.address = (struct endpoint){ .family = AF_UNIX };
		int r = parse_unix(text, &address.path, reason);
		if (r < 0)
			return r;
	} else {
		int r = parse_ipv6(text, &address.address, reason);
		if (r < 0)
			return r;
	}
	*ret_address = address;
	return 0;
}
