/*
 * Ending a TCP connection whoever has it: SOCK_DESTROY of sock_diag(7). Both ends see a reset; a
 * process that has it gets ECONNABORTED.
 */
#ifndef FDSUP_NET_DESTROY_H
#define FDSUP_NET_DESTROY_H

#include <stdint.h>

#include "wire/endpoint.h"

/*
 * `cookie` is its SO_COOKIE, so that no other with the same addresses is meant. 0: it is ended.
 * -ENOENT: there is none. -EPERM: CAP_NET_ADMIN is missing. -EOPNOTSUPP: the kernel cannot
 * (CONFIG_INET_DIAG_DESTROY), or it is no TCP connection. Other -errno. Waits for nothing: the kernel
 * has answered when the question is sent.
 */
int connection_destroy(
	uint64_t cookie, const struct endpoint *local, const struct endpoint *peer);

#endif
