/*
 * One bound UDP socket: one message, with the address that it was sent to, and the answer from that
 * address. A socket that is bound to all addresses would else answer from whichever the route
 * takes.
 *
 * The socket may be shared with other processes: it is not made non-blocking, each call is.
 */
#ifndef FDSUP_BUILTIN_DATAGRAM_H
#define FDSUP_BUILTIN_DATAGRAM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "wire/endpoint.h"

struct datagram {
	struct sockaddr_storage from;
	socklen_t from_size;
	struct endpoint peer;
	struct endpoint local; /* the address it was sent to, and our port */
	bool is_unicast;
	bool has_source4; /* which of the two is known */
	bool has_source6;
	struct in_pktinfo source4; /* to answer from */
	struct in6_pktinfo source6;
};

/* Asks the kernel for the addresses. The port in *ret_port. 0; -ENOTSOCK; -EPROTOTYPE: not UDP. */
int datagram_prepare(int socket, uint16_t *ret_port);

/* The length, with the bytes cut to `size`; or -errno, -EAGAIN: there is none. */
ssize_t datagram_receive(
	int socket, uint16_t port, struct datagram *datagram, void *bytes, size_t size);

/* 0 or -errno. What cannot be sent now is not sent: this is UDP. */
int datagram_answer(int socket, const struct datagram *datagram, const void *bytes, size_t length);

#endif
