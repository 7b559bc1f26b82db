/*
 * The classic worker socket as a source of connections: a listening SOCK_STREAM Unix socket, and
 * the acceptors that are connected to it. Each sends one byte and one descriptor a connection.
 *
 * Who may connect is decided by the peer's credentials, for an abstract name has no permissions. A
 * bad message ends the connection to that acceptor and nothing else.
 */
#ifndef FDSUP_WORKER_CLASSIC_H
#define FDSUP_WORKER_CLASSIC_H

#include "worker/options.h"
#include "worker/socket_file.h"
#include "worker/source.h"

enum { CLASSIC_ACCEPTORS_MAX = 64 };

struct classic {
	struct source source;
	struct socket_file file;
	const struct options *options;
	int listen_fd; /* -1 once it takes no more acceptors */
	size_t n_acceptors;
	size_t next; /* acceptor whose turn it is */
	int acceptors[CLASSIC_ACCEPTORS_MAX];
	/* The loop's entry, the listener's, then the acceptors' in their order. */
	struct pollfd polled[2 + CLASSIC_ACCEPTORS_MAX];
};

/* False after having logged why. The options stay the caller's. */
bool classic_open(struct classic *classic, const struct options *options);

#endif
