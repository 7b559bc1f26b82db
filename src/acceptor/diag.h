/*
 * What the kernel says of TCP connections: sock_diag(7).
 *
 * Two sockets. On the one for notices it tells by itself, once the last copy of a connection is
 * closed and what was sent has been acknowledged or given up: SKNLGRP_INET_TCP_DESTROY. On the one
 * for questions it is asked for one connection, or for all of them. Neither needs a privilege, and
 * no call here waits.
 */
#ifndef FDSUP_ACCEPTOR_DIAG_H
#define FDSUP_ACCEPTOR_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/endpoint.h"

/* One connection as the kernel sees it. */
struct diag_facts {
	uint64_t cookie; /* SO_COOKIE: the connection's id */
	uint16_t local_port;
	struct endpoint local, peer; /* IPv4 in IPv6 is IPv4, as everywhere */
	uint8_t state;   /* TCP_ESTABLISHED and so on: netinet/tcp.h */
	bool has_owner;  /* some process has a descriptor of it, and has accepted it */
	uint32_t inode;  /* by which such a process is found in /proc; 0: nobody has accepted it */
	/*
	 * What follows is known. Of a connection it always is; what TIME_WAIT leaves of one, for a minute
	 * and with its cookie, has none, also where it is in FIN_WAIT2 by name.
	 */
	bool has_info;
	uint32_t recv_q, send_q;
	uint32_t rtt_us;
	uint32_t idle_ms;
	/*
	 * Payload, without what was sent again. The kernel counts the end of the client's stream as one
	 * byte of it; that is taken out where it shows, which it does not once the end has been read.
	 */
	uint64_t bytes_in, bytes_out;
	bool has_bytes; /* a connection that we reset has lost its counters */
};

typedef void diag_listener(void *context, const struct diag_facts *facts);

/* A socket for questions; it is close-on-exec and does not block. -errno. */
int diag_open(void);

/* 0: the kernel answers questions about TCP. -ENOENT: it lacks inet_diag or tcp_diag. -errno. */
int diag_probe(int query);

enum { DIAG_NOTICES_MAX = 16 };

/*
 * Reads up to DIAG_NOTICES_MAX notices and returns how many there were. -EAGAIN: none is waiting.
 * -ENOBUFS: some were lost. Other -errno: failed.
 */
int diag_read_notices(int notices, diag_listener *listener, void *context);

/* 0: it lives, *ret is set. -ENOENT: it does not. Other -errno: that is not known. */
int diag_look_up(int query, uint64_t cookie, const struct endpoint *local,
	const struct endpoint *peer, struct diag_facts *ret);

/* One of several questions, and its answer. */
struct diag_look_up {
	uint64_t cookie;
	const struct endpoint *local, *peer; /* of one family, AF_INET or AF_INET6 */
	bool lives;                          /* only then is the rest known */
	struct diag_facts facts;
};

enum { DIAG_LOOK_UPS_MAX = 32 };

/*
 * As many at once: a few microseconds each, however many connections others on this host have. 0: all
 * answers are in. -errno: some are missing, and `lives` of those is false.
 */
int diag_look_up_some(int query, struct diag_look_up look_ups[], unsigned n);

/* Asks for all connections of a family that have not ended. 0 or -errno. */
int diag_ask_all(int query, int family);

/*
 * Reads a piece of the answer, about a hundred connections. 1: there is more. 0: that was all.
 * -EAGAIN: ask again. Other -errno: failed.
 */
int diag_read_some(int query, diag_listener *listener, void *context);

#endif
