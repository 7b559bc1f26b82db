/*
 * Connections that died with the worker which had them.
 *
 * Where connections have slots, these tell (copies.h). Without, there are three kinds of evidence, in
 * this order. A worker said that it took a connection, and then died:
 * it is lost. A connection has left the queue, a worker died, and within a second nobody else says
 * that he has it: it is lost too. A service whose workers never report anything leaves no evidence:
 * its connections are let go of once they have left the queue, so that no limit closes it for good.
 */
#ifndef FDSUP_ACCEPTOR_LOSSES_H
#define FDSUP_ACCEPTOR_LOSSES_H

#include <sys/types.h>

#include "acceptor/service.h"

/* What a connection that waits counts in SIOCOUTQ of the end that sent it; -errno. */
int losses_measure_queue_unit(void);

/* How many connections are in the queue, by the kernel's count. */
uint32_t losses_n_inside(const struct service *service);

/*
 * An acceptor before us may have been told that the worker of this command died, and that the command ended:
 * we were not.
 */
void losses_look_after(struct service *service, uint32_t place);

/* How many connections wait in the queue that an acceptor before us had put there. */
uint32_t losses_n_inherited(const struct service *service);

/* How many of those that wait have left the queue: they head the list. */
uint32_t losses_n_out_of_queue(const struct service *service);

/* Marks them, where workers need not tell that they have taken one. */
void losses_mark_out_of_queue(struct service *service);

/* Nobody will serve it; `worker` had it, 0: somebody. */
void losses_lose(struct service *service, uint32_t place, pid_t worker, uint64_t now_ns);

void losses_worker_gone(struct service *service, pid_t worker, uint64_t now_ns);

/* Its workers have not said a word of a connection that the kernel followed to its end. */
void losses_note_silence(struct service *service);

/* To be called at traffic->suspects_ns. */
void losses_judge_suspects(struct service *service, uint64_t now_ns);

/* To be called at traffic->silent_ns, which losses_expect_reports sets. */
void losses_judge_silence(struct service *service, uint64_t now_ns);
void losses_expect_reports(struct service *service, uint64_t now_ns);

/*
 * Drops what silent workers have taken, before their silence has lasted long enough to be sure of, since
 * a limit is reached. False: there is nothing to drop, or they do report.
 */
bool losses_drop_unfollowed(struct service *service, uint64_t now_ns);

/*
 * The same for clients whom a limit keeps waiting: nobody says when a silent worker takes a connection,
 * so that has to be looked for. To be called at traffic->peek_ns, which losses_expect_taking sets.
 */
void losses_peek(struct service *service, uint64_t now_ns);
void losses_expect_taking(struct service *service, uint64_t now_ns);

#endif
