/*
 * One end of a connection, in the 24 bytes that travel in hand-off records and reports.
 *
 * An IPv4 client of a dual-stack socket is IPv4 here and everywhere behind here.
 */
#ifndef FDSUP_WIRE_ENDPOINT_H
#define FDSUP_WIRE_ENDPOINT_H

#include <stdint.h>
#include <sys/socket.h>

struct endpoint {
	uint16_t family;  /* AF_INET, AF_INET6, AF_UNIX, or 0: unknown */
	uint16_t port;    /* host byte order; 0 for AF_UNIX */
	uint32_t scope;   /* interface of a link-local IPv6 address, else 0 */
	union {
		uint8_t ip[16]; /* network byte order; IPv4 in the first four */
		struct {
			uint32_t uid;
			uint32_t gid;
			int32_t pid;
		} unix_peer; /* credentials of the process at the other end; zeros at ours */
	};
};
_Static_assert(sizeof(struct endpoint) == 24, "part of the wire format");

/* Family 0 for anything but IPv4 and IPv6. */
struct endpoint endpoint_from_sockaddr(const struct sockaddr *address);

/* Who connected, as the kernel remembers it (SO_PEERCRED). Family 0 if it does not. */
struct endpoint endpoint_of_unix_peer(int connection);

/* Whom it leads to: a network address, or as above. Family 0 if the kernel does not say. */
struct endpoint endpoint_of_peer(int connection);

/* Where a socket of ours is bound: getsockname(2). Family 0 if that fails. */
struct endpoint endpoint_of_own_end(int socket);

enum { ENDPOINT_TEXT_SIZE = 80 };

/* "192.0.2.1", "2001:db8::1", "fe80::1%2", "uid=0,pid=71", or "-" when unknown. Returns text. */
char *endpoint_format_host(char text[ENDPOINT_TEXT_SIZE], const struct endpoint *end);

/* How much of a client's address may be shown: the key `log_address`. */
enum log_address {
	LOG_ADDRESS_FULL,
	LOG_ADDRESS_PREFIX, /* the network: IPv4 /24, IPv6 /48, of a local process its user */
	LOG_ADDRESS_NONE,   /* "-" */
};

/*
 * For all that is logged or listed. A client with its port, and without: "192.0.2.1:80" and "192.0.2.1", as a prefix "192.0.2.0/24" both.
 * A local process is "uid=0,pid=71" with what stands for a port, and else "uid=0". Returns text.
 */
char *endpoint_format_client(
	char text[ENDPOINT_TEXT_SIZE], const struct endpoint *end, enum log_address shown);
char *endpoint_format_source(
	char text[ENDPOINT_TEXT_SIZE], const struct endpoint *end, enum log_address shown);

enum { ENDPOINT_PORT_SIZE = 6 };

/* "80". Returns text. */
char *endpoint_format_port(char text[ENDPOINT_PORT_SIZE], const struct endpoint *end);

/* Host and port: "192.0.2.1:80", "[2001:db8::1]:80". Returns text. */
char *endpoint_format(char text[ENDPOINT_TEXT_SIZE], const struct endpoint *end);

/* The same for our own end: "unix" where there is no port, nor anybody to name. */
char *endpoint_format_local(char text[ENDPOINT_TEXT_SIZE], const struct endpoint *end);

#endif
