#include "redirect/address.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "wire/endpoint.h"

static const char forms[] = "\"host:port\", \"[IPv6]:port\", \"unix:/path\" and \"unix:@name\"";

__attribute__((format(printf, 2, 3))) static bool fail(char *error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(error, TARGET_ERROR_SIZE, format, args);
	va_end(args);
	return false;
}

static bool parse_unix(struct target *target, const char *name, char *error)
{
	struct sockaddr_un *un = &target->socket.un;
	bool is_abstract = name[0] == '@';
	size_t length = strlen(name);
	size_t room = sizeof un->sun_path - !is_abstract;
	if (!is_abstract && name[0] != '/')
		return fail(error, "after \"unix:\" comes a path that begins with / or a name that "
				   "begins with @");
	if (length < 2)
		return fail(error, "the name of the socket is missing");
	if (length > room)
		return fail(error,
			"the name of a Unix socket has at most %zu bytes, this one has %zu", room,
			length);
	target->is_unix = true;
	target->socket = (struct address){ .un.sun_family = AF_UNIX };
	memcpy(un->sun_path, name, length);
	if (is_abstract)
		un->sun_path[0] = 0;
	target->socket.size =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !is_abstract);
	return true;
}

/* A number, or a name of /etc/services. getaddrinfo(3) would take 65616 for 80. */
static bool parse_port(struct target *target, const char *text, char *error)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end) {
		const struct servent *entry = *text ? getservbyname(text, "tcp") : NULL;
		if (!entry)
			return fail(error,
				"port \"%.64s\" is neither a number nor a TCP service in "
				"/etc/services",
				text);
		number = ntohs((uint16_t)entry->s_port);
	}
	if (number == 0 || number > UINT16_MAX)
		return fail(error, "a port is a number from 1 to 65535, not %.20s", text);
	snprintf(target->port, sizeof target->port, "%lu", number);
	return true;
}

static bool parse_host(struct target *target, const char *text, size_t length, char *error)
{
	bool is_bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';
	if (is_bracketed) {
		text++;
		length -= 2;
	} else if (memchr(text, ':', length)) {
		return fail(error, "an IPv6 address stands in brackets: [%.*s]:port",
			length < 128 ? (int)length : 128, text);
	}
	if (length == 0)
		return fail(error, "the host is missing: what is possible is %s", forms);
	if (length >= sizeof target->host)
		return fail(error, "a host name has at most %zu bytes, this one has %zu",
			sizeof target->host - 1, length);
	memcpy(target->host, text, length);
	target->host[length] = 0;
	return true;
}

bool target_parse(struct target *target, const char *text, char ret_error[TARGET_ERROR_SIZE])
{
	*target = (struct target){ .text = text };
	if (!strncmp(text, "unix:", 5))
		return parse_unix(target, text + 5, ret_error);
	const char *colon = strrchr(text, ':');
	if (!colon)
		return fail(ret_error, "the port is missing: what is possible is %s", forms);
	return parse_host(target, text, (size_t)(colon - text), ret_error) &&
	       parse_port(target, colon + 1, ret_error);
}

static bool is_known(const struct addresses *addresses, const struct addrinfo *info)
{
	for (size_t i = 0; i < addresses->n; i++)
		if (addresses->list[i].size == info->ai_addrlen &&
			!memcmp(&addresses->list[i].any, info->ai_addr, info->ai_addrlen))
			return true;
	return false;
}

/* The next of the list that is of this family, or of the other. */
static const struct addrinfo *next_of(const struct addrinfo *info, int family, bool is_of_it)
{
	while (info && (info->ai_family == family) != is_of_it)
		info = info->ai_next;
	return info;
}

static void add(struct addresses *addresses, const struct addrinfo *info)
{
	struct address *address = &addresses->list[addresses->n];
	bool is_usable = info->ai_addrlen <= sizeof address->in6 && !is_known(addresses, info);
	if (addresses->n == ADDRESSES_MAX || !is_usable)
		return;
	*address = (struct address){ .size = info->ai_addrlen };
	memcpy(&address->any, info->ai_addr, info->ai_addrlen);
	addresses->n++;
}

void addresses_from_list(struct addresses *addresses, const struct addrinfo *list)
{
	int family = list ? list->ai_family : AF_UNSPEC;
	const struct addrinfo *next[2] = { next_of(list, family, true),
		next_of(list, family, false) };
	addresses->n = 0;
	for (unsigned turn = 0; next[0] || next[1]; turn ^= 1) {
		if (!next[turn])
			continue;
		add(addresses, next[turn]);
		next[turn] = next_of(next[turn]->ai_next, family, turn == 0);
	}
}

char *address_format(char text[ADDRESS_TEXT_SIZE], const struct address *address)
{
	if (address->any.sa_family == AF_UNIX) {
		char name[sizeof address->un.sun_path + 1] = { 0 };
		size_t length = address->size - offsetof(struct sockaddr_un, sun_path);
		memcpy(name, address->un.sun_path, length);
		if (!name[0])
			name[0] = '@';
		text_escape(text, ADDRESS_TEXT_SIZE, name, strlen(name));
	} else {
		struct endpoint end = endpoint_from_sockaddr(&address->any);
		char endpoint[ENDPOINT_TEXT_SIZE];
		snprintf(text, ADDRESS_TEXT_SIZE, "%s", endpoint_format(endpoint, &end));
	}
	return text;
}
