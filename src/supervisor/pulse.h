/*
 * Whether an acceptor still turns. Its loop notes on the scoreboard when it last did; one that has had
 * nothing to do for a while is asked to confirm something, which makes it turn (policy/heartbeat.h).
 *
 * One that hangs (stopped, looping, waiting for a disk) keeps clients in the kernel, and has copies of
 * connections whose clients then do not see their end. So it is killed, and replaced like any that died.
 */
#ifndef FDSUP_SUPERVISOR_PULSE_H
#define FDSUP_SUPERVISOR_PULSE_H

struct acceptor;

void pulse_init(struct acceptor *acceptor);
void pulse_start(struct acceptor *acceptor);
void pulse_stop(struct acceptor *acceptor);

#endif
