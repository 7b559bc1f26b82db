/*
 * Listening sockets. Made by the supervisor alone; the acceptor gets a copy.
 */
#ifndef FDSUP_NET_LISTENER_H
#define FDSUP_NET_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/filter.h"
#include "wire/endpoint.h"

struct listener_options {
	struct endpoint address;
	bool is_both_families; /* "*": [::] with IPv4, or 0.0.0.0 where the kernel has no IPv6 */
	bool is_v6only;
	int backlog;           /* the kernel lowers it to net.core.somaxconn */
	bool has_nodelay;      /* inherited by accepted connections: tcp(7) */
	bool has_keepalive;
	bool has_freebind;     /* the address need not be there */
	unsigned defer_s;      /* a client that has sent nothing counts only after so long; 0: at once */
	const char *interface; /* connections come in by it; NULL: by any */
	bool is_udp;           /* a datagram socket: bound, there is nothing to listen for */
	bool is_blocking;      /* as programs that accept themselves expect it */
	const struct filter_rules *filter; /* in force before anybody can connect; NULL: none */
	bool shares_port;      /* bind beside a socket of ours: see listener_share_port */
};

/*
 * Binds and listens; close-on-exec and non-blocking (which accepted connections do not inherit on
 * Linux: accept(2)). 0, or -errno with the call that failed in *ret_step (a constant).
 */
int listener_open(const struct listener_options *options, int *ret_fd, const char **ret_step);

/* Gives a bound socket the options that can change while it listens: all but the address. */
void listener_apply(int fd, const struct listener_options *options);

/*
 * Lets another socket of this user bind the same port beside this one, for the moment in which one
 * takes over from the other ("*" becomes "127.0.0.1"). Set after the fact, SO_REUSEPORT counts for
 * later binds: measured on Linux 5.10 to 6.18.
 */
void listener_share_port(int fd, bool is_shared);

/* What the kernel knows of a listening TCP socket: tcp_info. 0 or -errno. */
int listener_queue(int fd, unsigned *ret_waiting, unsigned *ret_backlog);

/*
 * Connections, or datagrams, that the kernel has thrown away at this socket since it is there, for
 * want of room. 0 or -errno.
 */
int listener_drops(int fd, unsigned *ret_drops);

enum { LISTENER_TEXT_SIZE = ENDPOINT_TEXT_SIZE + 8 };

/* "*:80", "192.0.2.1:80", "[::]:80". Returns text. */
char *listener_format(
	char text[LISTENER_TEXT_SIZE], const struct endpoint *address, bool is_both_families);

#endif
