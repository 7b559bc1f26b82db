/*
 * A worker has died: what becomes of the connections that it had.
 *
 * Those that it had claimed, and those that have left the queue and that nobody has claimed, are
 * handed off once more, under a new turn: whoever has an old one leaves it alone. For a program that
 * claims a connection before it begins, the kernel's counters must show that it was not read from
 * nor written to. What it had begun to serve is lost, and said to be.
 */
#ifndef FDSUP_ACCEPTOR_REDELIVERY_H
#define FDSUP_ACCEPTOR_REDELIVERY_H

#include <stdint.h>
#include <sys/types.h>

struct service;

/* A connection that this many workers died with is given to no other. */
enum { REDELIVERY_DEATHS_MAX = 3 };

/* It has died, and what it reported before was read. */
void redelivery_worker_gone(struct service *service, pid_t worker, uint64_t now_ns);

#endif
