#include "config/networks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/problems.h"

enum { TEXT_SIZE = 64, MAPPED_BITS = 96, LIST_SIZE = 160 };

static int refuse(char reason[NETWORK_REASON_SIZE], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(char reason[NETWORK_REASON_SIZE], const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(reason, NETWORK_REASON_SIZE, format, args);
	va_end(args);
	return -EINVAL;
}

static unsigned bits_of(uint16_t family)
{
	return family == AF_INET ? 32 : 128;
}

static int parse_address(const char *address, const char *text, struct network *ret,
	char reason[NETWORK_REASON_SIZE])
{
	char shown[QUOTE_SIZE];
	if (inet_pton(AF_INET, address, ret->ip) == 1)
		ret->family = AF_INET;
	else if (inet_pton(AF_INET6, address, ret->ip) == 1)
		ret->family = AF_INET6;
	else if (!strcmp(text, "*") || !strcasecmp(text, "all"))
		return refuse(reason, "%s: everybody is \"0.0.0.0/0\" and \"::/0\"", quote(shown, text));
	else
		return refuse(reason,
			"%s is no network; write \"192.0.2.0/24\", \"192.0.2.7\" or \"2001:db8::/32\": names "
			"are not looked up, for whoever owns an address can give it any name",
			quote(shown, text));
	return 0;
}

/*
 * The bits before the zeros at the end, in whole parts as they are written. xinetd took the zeros of
 * 10.0.0.0 for "any", and no host has the IPv6 address whose second half is 0 (it is that of all
 * routers, RFC 4291 2.6.1): as one address it is hardly ever meant.
 */
static unsigned bits_meant(const struct network *network)
{
	unsigned n_bytes = bits_of(network->family) / 8;
	unsigned part = network->family == AF_INET ? 1 : 2, n = n_bytes;
	while (n > 0 && !network->ip[n - 1] && !network->ip[n - part])
		n -= part;
	bool is_network = network->family == AF_INET ? n < n_bytes : n <= n_bytes / 2;
	return is_network ? n * 8 : n_bytes * 8;
}

/* "10.0.0.0/8, 192.168.0.0/16", which is a list in one text. */
static bool is_several(const char *text)
{
	size_t first = strcspn(text, ", \t;");
	return first > 0 && text[first + strspn(text + first, ", \t;")];
}

/* As the list that was meant. */
static void list_words(const char *text, char *list, size_t size)
{
	size_t used = (size_t)snprintf(list, size, "[ ");
	const char *between = "";
	for (size_t n; *(text += strspn(text, ", \t;")) && used < size; text += n) {
		n = strcspn(text, ", \t;");
		used += (size_t)snprintf(list + used, size - used, "%s\"%.*s\"", between, (int)n, text);
		between = ", ";
	}
	if (used + 3 <= size)
		strcpy(list + used, " ]");
	else
		strcpy(list + size - sizeof "... ]", "... ]");
}

static int refuse_several(const char *text, char reason[NETWORK_REASON_SIZE])
{
	char shown[QUOTE_SIZE], list[LIST_SIZE];
	list_words(text, list, sizeof list);
	/* The quotes are ours; what is between them may hold anything. */
	for (char *p = list; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return refuse(reason, "%s is more than one; write a list: %s", quote(shown, text), list);
}

/* NULL: none is written, and all bits count. */
static int parse_prefix(const char *prefix, const char *text, struct network *network,
	char reason[NETWORK_REASON_SIZE])
{
	char shown[QUOTE_SIZE];
	unsigned n_bits = bits_of(network->family);
	network->prefix = (uint16_t)n_bits;
	unsigned meant = prefix ? n_bits : bits_meant(network);
	if (meant < n_bits)
		return refuse(reason,
			"%s ends in 0: write the bits that count, \"%s/%u\" for the network or the number that "
			"you mean, or \"%s/%u\" for this address alone",
			quote(shown, text), text, meant, text, n_bits);
	if (!prefix)
		return 0;
	size_t n_digits = strspn(prefix, "0123456789");
	unsigned long number = strtoul(prefix, NULL, 10);
	if (n_digits == 0 || n_digits > 3 || prefix[n_digits] || number > n_bits)
		return refuse(reason, "%s: behind the / stands a number from 0 to %u, the bits that count",
			quote(shown, text), n_bits);
	network->prefix = (uint16_t)number;
	return 0;
}

static void unmap(struct network *network)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	if (network->family != AF_INET6 || network->prefix < MAPPED_BITS ||
		memcmp(network->ip, mapped, sizeof mapped) != 0)
		return;
	memmove(network->ip, network->ip + 12, 4);
	memset(network->ip + 4, 0, 12);
	network->family = AF_INET;
	network->prefix -= MAPPED_BITS;
}

/* Clears what does not count. True if there was anything. */
static bool clear_rest(struct network *network)
{
	bool had_rest = false;
	for (unsigned i = 0; i < sizeof network->ip; i++) {
		unsigned n_bits = network->prefix > i * 8 ? network->prefix - i * 8u : 0;
		uint8_t mask = n_bits >= 8 ? 0xff : (uint8_t)(0xff00 >> n_bits);
		had_rest |= (network->ip[i] & ~mask) != 0;
		network->ip[i] &= mask;
	}
	return had_rest;
}

int network_parse(const char *text, struct network *ret, char reason[NETWORK_REASON_SIZE])
{
	char address[TEXT_SIZE], cleared[INET6_ADDRSTRLEN], shown[QUOTE_SIZE];
	struct network network = { 0 };
	snprintf(address, sizeof address, "%s", text);
	char *slash = strchr(address, '/');
	if (is_several(text))
		return refuse_several(text, reason);
	if (slash)
		*slash = 0;
	int r = parse_address(address, text, &network, reason);
	if (r == 0)
		r = parse_prefix(slash ? slash + 1 : NULL, text, &network, reason);
	if (r < 0)
		return r;
	unmap(&network);
	if (clear_rest(&network)) {
		inet_ntop(network.family, network.ip, cleared, sizeof cleared);
		return refuse(reason,
			"%s names more bits than count; write \"%s/%u\" for the network, or the address "
			"without / for itself",
			quote(shown, text), cleared, network.prefix);
	}
	*ret = network;
	return 0;
}
