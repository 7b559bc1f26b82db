/*
 * Addresses and ports as written, to addresses to listen on. Nothing is asked of a name server:
 * a host name is refused.
 */
#ifndef FDSUP_CONFIG_LISTEN_H
#define FDSUP_CONFIG_LISTEN_H

#include "config/config.h"

enum { LISTEN_REASON_SIZE = 256, LISTEN_PORT_CACHE_SIZE = 16 };

/* The last names of ports that were looked up: /etc/services is long. */
struct port_cache {
	struct port_entry {
		char name[32];
		enum service_protocol protocol;
		uint16_t port;
	} entries[LISTEN_PORT_CACHE_SIZE];
	size_t next;
};

/* "80" or "rsync". 0, or -EINVAL with the reason and the remedy. */
int listen_find_port(struct port_cache *cache, const char *text, enum service_protocol protocol,
	uint16_t *ret_port, char reason[LISTEN_REASON_SIZE]);

/* Whether it means a Unix socket, which has no port. */
bool listen_is_unix(const char *text);

/*
 * "192.0.2.1", "::1", "[::1]", "fe80::1%eth0", "*", "unix:/path", "unix:@name". 0, or -EINVAL with
 * the reason and remedy, or -ENOMEM. A path is the caller's to free.
 */
int listen_parse_address(const char *text, uint16_t port, struct listen_address *ret_address,
	char reason[LISTEN_REASON_SIZE]);

#endif
