/*
 * fdsup-keeper as the supervisor sees it: what the next fdsup would need to go on is deposited there
 * as it changes, record by record, and taken from there after a supervisor has died.
 *
 * A service, an acceptor is touched when something of it has changed; what was touched is sent at the
 * end of the turn of the loop.
 */
#ifndef FDSUP_SUPERVISOR_KEEPER_H
#define FDSUP_SUPERVISOR_KEEPER_H

#include "supervisor/succession/state.h"

struct acceptor;
struct keeper;
struct service;
struct supervisor;

/*
 * Starts the process. Without it all goes on, but a death of the supervisor ends the acceptors, too:
 * that is logged, and it is tried again.
 */
void keeper_start(struct supervisor *supervisor);

/* Something of it has changed. */
void keeper_touch(struct service *service);
void keeper_touch_acceptor(struct acceptor *acceptor);
void keeper_touch_all(struct supervisor *supervisor);

/*
 * The same, and tells it now and not at the end of the turn: a process that the next fdsup did not know
 * of would be started a second time.
 */
void keeper_tell_now(struct service *service);

/* The service is no more. */
void keeper_forget(const struct service *service);

/* The acceptors are told something that the keeper does not know yet; until the end of the turn. */
void keeper_doubt(struct supervisor *supervisor);

/* Sends what was touched. */
void keeper_flush(struct supervisor *supervisor);

/*
 * The same, and waits for a moment until what is no longer needed is closed there, too: a socket on
 * which somebody still could connect must not outlive the acceptor's.
 */
void keeper_settle(struct supervisor *supervisor);

/* Leaves it with what it keeps, for whoever comes next. */
void keeper_leave(struct supervisor *supervisor);

/* Ends it, and with it what it keeps. */
void keeper_end(struct supervisor *supervisor);

/* For the program that takes our place. */
json_t *keeper_save(const struct supervisor *supervisor, struct state_fds *fds);
int keeper_restore(struct supervisor *supervisor, const json_t *json, struct state_fds *fds);
void keeper_resume(struct supervisor *supervisor);

/*
 * What a supervisor that died has left in the runtime directory. 1 and a state whose descriptors are
 * owned: it is to be confirmed by keeper_touch_all and keeper_flush, or refused by keeper_end. 0: there
 * is nothing. -errno: it could not be had.
 */
int keeper_take_over(struct supervisor *supervisor, struct state *ret_state);

/* Whether the acceptors may know something that the keeper did not. */
bool keeper_is_in_doubt(const struct supervisor *supervisor);

#endif
