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

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct service;

/* A connection that this many workers died with is given to no other. */
enum { REDELIVERY_DEATHS_MAX = 3 };

/*
 * What was left of an acceptor before us is in our hands. A worker may have died about which that one was
 * told, or we were before we could do anything about it.
 */
void redelivery_take_over(struct service *service, uint64_t now_ns);

/*
 * To be called at traffic->copies_ns: what was stuck at two looks is set free. When acceptors and workers die
 * together, what the queue holds is not known to the last, and a connection may have left it with somebody
 * who is dead while it seems to wait.
 */
void redelivery_look(struct service *service, uint64_t now_ns);

/* One that may not have reached the queue goes there under a new turn. False: a worker has it. */
bool redelivery_send_again(struct service *service, uint32_t place);

/* It has died, and what it reported before was read. */
void redelivery_worker_gone(struct service *service, pid_t worker, uint64_t now_ns);

#endif
