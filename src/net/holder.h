/*
 * Who holds a port: the processes that keep others from binding an address, as far as /proc shows
 * them. For the message that follows "address already in use".
 *
 * It walks all processes, which takes milliseconds: for errors and for people, not for the loop.
 */
#ifndef FDSUP_NET_HOLDER_H
#define FDSUP_NET_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "wire/endpoint.h"

enum { HOLDER_PROCESSES_MAX = 4, HOLDER_COMMAND_SIZE = 64, HOLDER_TEXT_SIZE = 400 };

struct holder_process {
	pid_t pid;
	char command[HOLDER_COMMAND_SIZE]; /* its name, escaped */
};

struct holder {
	struct holder_process processes[HOLDER_PROCESSES_MAX];
	size_t n_processes;
	bool has_more;    /* processes than fit */
	bool has_hidden;  /* a socket is there whose process cannot be seen */
	uid_t hidden_uid; /* whose socket that is */
};

/*
 * `protocol` is IPPROTO_TCP or IPPROTO_UDP, `address` of AF_INET or AF_INET6. A wildcard address,
 * wanted or found, clashes with every address; the IPv6 one with IPv4 as well, since /proc does not
 * tell which sockets are for IPv6 alone. 0 (also when nobody holds it), or -errno.
 */
int holder_find(int protocol, const struct endpoint *address, struct holder *ret);

/*
 * "pid 4711 (nginx)", "pid 1 (a), pid 2 (b)", "a process of another user (uid 33)", "nobody".
 * Returns text.
 */
char *holder_format(char text[HOLDER_TEXT_SIZE], const struct holder *holder);

#endif
