#include "wire/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/put.h"

struct endpoint endpoint_from_sockaddr(const struct sockaddr *address)
{
	struct endpoint end = { 0 };
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;
		end.family = AF_INET;
		end.port = ntohs(in->sin_port);
		memcpy(end.ip, &in->sin_addr, 4);
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
		end.port = ntohs(in6->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			end.family = AF_INET;
			memcpy(end.ip, in6->sin6_addr.s6_addr + 12, 4);
		} else {
			end.family = AF_INET6;
			end.scope = in6->sin6_scope_id;
			memcpy(end.ip, &in6->sin6_addr, 16);
		}
	}
	return end;
}

struct endpoint endpoint_of_own_end(int socket)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	if (getsockname(socket, (struct sockaddr *)&address, &length) < 0)
		return (struct endpoint){ 0 };
	if (address.ss_family == AF_UNIX)
		return (struct endpoint){ .family = AF_UNIX };
	return endpoint_from_sockaddr((struct sockaddr *)&address);
}

struct endpoint endpoint_of_peer(int connection)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	if (getpeername(connection, (struct sockaddr *)&address, &length) < 0)
		return (struct endpoint){ 0 };
	return address.ss_family == AF_UNIX ? endpoint_of_unix_peer(connection)
					    : endpoint_from_sockaddr((struct sockaddr *)&address);
}

struct endpoint endpoint_of_unix_peer(int connection)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return (struct endpoint){ 0 };
	return (struct endpoint){
		.family = AF_UNIX,
		.unix_peer = { .uid = peer.uid, .gid = peer.gid, .pid = peer.pid },
	};
}

/* By hand and not by printf: this is written several times for each connection. Returns the end. */
static char *put_ipv4(char *p, const uint8_t ip[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*p++ = '.';
		p = put_decimal(p, ip[i]);
	}
	return p;
}

char *endpoint_format_port(char text[ENDPOINT_PORT_SIZE], const struct endpoint *end)
{
	*put_decimal(text, end->port) = 0;
	return text;
}

char *endpoint_format_host(char text[ENDPOINT_TEXT_SIZE], const struct endpoint *end)
{
	switch (end->family) {
	case AF_INET:
		*put_ipv4(text, end->ip) = 0;
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, end->ip, text, ENDPOINT_TEXT_SIZE);
		if (end->scope) {
			size_t used = strlen(text);
			snprintf(text + used, ENDPOINT_TEXT_SIZE - used, "%%%u", end->scope);
		}
		break;
	case AF_UNIX:
		snprintf(text, ENDPOINT_TEXT_SIZE, "uid=%u,pid=%d", end->unix_peer.uid, end->unix_peer.pid);
		break;
	default:
		snprintf(text, ENDPOINT_TEXT_SIZE, "-");
	}
	return text;
}

char *endpoint_format(char text[ENDPOINT_TEXT_SIZE], const struct endpoint *end)
{
	char host[ENDPOINT_TEXT_SIZE];
	if (end->family == AF_INET) {
		char *p = put_ipv4(text, end->ip);
		*p++ = ':';
		*put_decimal(p, end->port) = 0;
		return text;
	}
	endpoint_format_host(end->family == AF_INET6 ? host : text, end);
	if (end->family == AF_INET6)
		snprintf(text, ENDPOINT_TEXT_SIZE, "[%.64s]:%u", host, end->port);
	return text;
}

static char *format_prefix(char text[ENDPOINT_TEXT_SIZE], const struct endpoint *end)
{
	/* Without a scope, too: it is no part of the prefix. */
	struct endpoint network = { .family = end->family };
	bool is_ipv4 = end->family == AF_INET;
	if (!is_ipv4 && end->family != AF_INET6)
		return endpoint_format_host(text, end);
	memcpy(network.ip, end->ip, is_ipv4 ? 3 : 6);
	endpoint_format_host(text, &network);
	return strcat(text, is_ipv4 ? "/24" : "/48");
}

static char *format_user(char text[ENDPOINT_TEXT_SIZE], const struct endpoint *end)
{
	snprintf(text, ENDPOINT_TEXT_SIZE, "uid=%u", end->unix_peer.uid);
	return text;
}

char *endpoint_format_source(
	char text[ENDPOINT_TEXT_SIZE], const struct endpoint *end, enum log_address shown)
{
	if (shown == LOG_ADDRESS_NONE)
		return strcpy(text, "-");
	if (end->family == AF_UNIX)
		return format_user(text, end);
	return shown == LOG_ADDRESS_PREFIX ? format_prefix(text, end) : endpoint_format_host(text, end);
}

char *endpoint_format_client(
	char text[ENDPOINT_TEXT_SIZE], const struct endpoint *end, enum log_address shown)
{
	return shown == LOG_ADDRESS_FULL ? endpoint_format(text, end)
					 : endpoint_format_source(text, end, shown);
}

char *endpoint_format_local(char text[ENDPOINT_TEXT_SIZE], const struct endpoint *end)
{
	if (end->family == AF_UNIX)
		return strcpy(text, "unix");
	return endpoint_format(text, end);
}
