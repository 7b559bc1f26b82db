/*
 * What workers report about connections, applied to the ledger.
 *
 * Reports are untrusted. They arrive on the queue of one service and can touch nothing but the
 * entries of that service; a connection that we do not know is taken into the ledger only as often
 * as an acceptor before us, or an error of ours, can explain.
 */
#ifndef FDSUP_ACCEPTOR_REPORTS_H
#define FDSUP_ACCEPTOR_REPORTS_H

#include "acceptor/service.h"
#include "acceptor/service_log.h"
#include "wire/report.h"

/* "All messages that wait", yet bounded, should workers send them without end. */
enum { REPORTS_AT_ONCE = 4096 };

/* Applies what waits, up to a bound. False: more may be waiting. */
bool reports_drain(struct service *service, int n_messages_max, uint64_t now_ns);

void reports_on_readable(struct ev_loop *loop, ev_io *io, int revents);

/* To be called at traffic->deaf_ns. */
void reports_say_deaf(struct service *service);

/*
 * Takes a connection into the ledger that another acceptor had admitted; LEDGER_NOWHERE if that
 * cannot be.
 */
uint32_t reports_adopt(struct service *service, const struct report *report, uint64_t now_ns);

/* A connection has been served: counted, logged, gone from the ledger. */
void reports_end(
	struct service *service, uint32_t place, const struct ending *ending, uint64_t now_ns);

/* This worker is told to end: how the commands end that it has now is no fault of theirs. */
void reports_excuse(struct service *service, pid_t worker, uint64_t now_ns);

/* A process serves it, whose worker died before it could say so. */
void reports_found_started(struct service *service, uint32_t place, pid_t pid);

/* A connection is gone without having been served or logged. */
void reports_drop(struct service *service, uint32_t place, uint64_t now_ns);

#endif
