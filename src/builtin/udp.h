/*
 * The small services by UDP: a datagram, an answer or none, nothing remembered.
 *
 * Who is answered is decided by caution.h; how often by a bucket, for whoever forges addresses
 * should not find an amplifier.
 */
#ifndef FDSUP_BUILTIN_UDP_H
#define FDSUP_BUILTIN_UDP_H

#include "builtin/builtin.h"

/* Begins to answer on all sockets of the options. 0, or -errno with the descriptor in *ret_fd. */
int udp_start(struct builtin *builtin, int *ret_fd);

void udp_stop(struct builtin *builtin);

#endif
