#include "config/overlap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A wildcard comes before what it covers. */
enum breadth { BREADTH_ALL, BREADTH_IPV6, BREADTH_IPV4, BREADTH_ONE };

struct claim {
	const struct service_config *service;
	const struct listen_address *listen;
	const char *written;
	enum breadth breadth;
};

/* The widest claims on one port so far, by breadth; NULL: none. */
struct widest {
	const struct claim *by_breadth[BREADTH_ONE];
};

static enum breadth breadth_of(
	const struct service_config *service, const struct listen_address *listen)
{
	static const uint8_t any[16];
	bool is_ipv4 = listen->address.family == AF_INET;
	if (listen->path)
		return BREADTH_ONE;
	if (memcmp(listen->address.ip, any, is_ipv4 ? 4 : 16))
		return BREADTH_ONE;
	if (is_ipv4)
		return BREADTH_IPV4;
	/* Without v6only the kernel gives "::" the IPv4 connections as well. */
	return service->sockets->is_v6only && !listen->is_both_families ? BREADTH_IPV6
									: BREADTH_ALL;
}

static int compare_addresses(const struct claim *a, const struct claim *b)
{
	const struct endpoint *left = &a->listen->address, *right = &b->listen->address;
	if (a->listen->path && b->listen->path)
		return strcmp(a->listen->path, b->listen->path);
	if (left->family != right->family)
		return left->family < right->family ? -1 : 1;
	if (left->scope != right->scope)
		return left->scope < right->scope ? -1 : 1;
	return memcmp(left->ip, right->ip, sizeof left->ip);
}

/* The ports of TCP and of UDP are not the same ports. Unix sockets have port 0 alone. */
static uint32_t port_key(const struct claim *claim)
{
	return (uint32_t)claim->service->sockets->protocol << 16 | claim->listen->address.port;
}

/* Sockets that are bound to different interfaces are no rivals; "" is all of them. */
static const char *interface_of(const struct claim *claim)
{
	const char *interface = claim->service->sockets->interface;
	return interface && !claim->listen->path ? interface : "";
}

static bool is_same_port(const struct claim *a, const struct claim *b)
{
	return port_key(a) == port_key(b) && !strcmp(interface_of(a), interface_of(b));
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *left = a, *right = b;
	if (port_key(left) != port_key(right))
		return port_key(left) < port_key(right) ? -1 : 1;
	if (!is_same_port(left, right))
		return strcmp(interface_of(left), interface_of(right));
	if (left->breadth != right->breadth)
		return left->breadth < right->breadth ? -1 : 1;
	int order = compare_addresses(left, right);
	if (order == 0)
		order = strcmp(left->service->file, right->service->file);
	if (order == 0 && left->service->line != right->service->line)
		order = left->service->line < right->service->line ? -1 : 1;
	return order;
}

static bool overlaps(const struct claim *wide, const struct claim *claim)
{
	bool is_ipv4 = claim->listen->address.family == AF_INET;
	switch (wide->breadth) {
	case BREADTH_ALL:
		return true;
	case BREADTH_IPV4:
		return is_ipv4;
	case BREADTH_IPV6:
		return !is_ipv4;
	case BREADTH_ONE:
		return claim->breadth == BREADTH_ONE && compare_addresses(wide, claim) == 0;
	}
	return false;
}

static void tell(const struct claim *first, const struct claim *second, struct problems *problems)
{
	char path[256], written[2][QUOTE_SIZE];
	/* One service that is there twice, which is told as such. */
	if (first->service != second->service && !strcmp(first->service->name, second->service->name))
		return;
	bool is_unix = second->listen->path;
	const char *unix_key = second->listen->is_entrance ? "worker_socket" : "address";
	snprintf(path, sizeof path, "services.%s.%s", second->service->name,
		is_unix ? unix_key : "port");
	quote(written[0], first->written);
	quote(written[1], second->written);
	if (first->service == second->service)
		problem_add(problems, second->service->file, second->service->line, path,
			"the addresses %s and %s overlap; remove one", written[0], written[1]);
	else if (is_unix)
		problem_add(problems, second->service->file, second->service->line, path,
			"%s is taken by services.%s (%s:%u); give one of the two another address, or "
			"set enabled = false",
			written[1], first->service->name, first->service->file,
			first->service->line);
	else
		problem_add(problems, second->service->file, second->service->line, path,
			"%s port %u is taken by services.%s (%s:%u, address %s); give one of the "
			"two "
			"another port or address, or set enabled = false",
			written[1], second->listen->address.port, first->service->name,
			first->service->file, first->service->line, written[0]);
}

/* The claims of one port, the wide ones first: each meets the wide ones and its neighbour. */
static void check_port(const struct claim *claims, size_t n, struct problems *problems)
{
	struct widest widest = { 0 };
	for (size_t i = 0; i < n; i++) {
		const struct claim *other = NULL;
		for (int breadth = 0; breadth < BREADTH_ONE && !other; breadth++) {
			const struct claim *wide = widest.by_breadth[breadth];
			if (wide && overlaps(wide, &claims[i]))
				other = wide;
		}
		if (!other && i > 0 && overlaps(&claims[i - 1], &claims[i]))
			other = &claims[i - 1];
		if (other)
			tell(other, &claims[i], problems);
		if (claims[i].breadth < BREADTH_ONE && !widest.by_breadth[claims[i].breadth])
			widest.by_breadth[claims[i].breadth] = &claims[i];
	}
}

static size_t collect(const struct config *config, struct claim *claims)
{
	size_t n = 0;
	for (size_t i = 0; i < config->n_services; i++) {
		const struct service_config *service = config->services[i];
		for (size_t j = 0; j < service->n_listen && service->is_enabled; j++)
			claims[n++] = (struct claim){
				.service = service,
				.listen = &service->listen[j],
				.written = service->listen[j].is_entrance
						   ? service->worker_socket
						   : service->written->address.items[j],
				.breadth = breadth_of(service, &service->listen[j]),
			};
	}
	return n;
}

void overlap_check(const struct config *config, struct problems *problems)
{
	size_t n = 0;
	for (size_t i = 0; i < config->n_services; i++)
		n += config->services[i]->n_listen;
	struct claim *claims = calloc(n + 1, sizeof *claims);
	if (!claims) {
		problems->is_out_of_memory = true;
		return;
	}
	n = collect(config, claims);
	qsort(claims, n, sizeof *claims, compare_claims);
	for (size_t i = 0, first = 0; i < n; i++) {
		bool is_last = i + 1 == n || !is_same_port(&claims[i + 1], &claims[i]);
		if (!is_last)
			continue;
		check_port(claims + first, i + 1 - first, problems);
		first = i + 1;
	}
	free(claims);
}
