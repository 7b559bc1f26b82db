/*
 * The workers of a service: as many as there should be, started again when it is time, and replaced.
 */
#ifndef FDSUP_SUPERVISOR_POOL_H
#define FDSUP_SUPERVISOR_POOL_H

#include <stdint.h>

#include "supervisor/service/service.h"

void pool_init(struct service *service);

/* How many workers there should be at least, once it runs: workers.min, and one. */
uint32_t pool_n_wanted(const struct service *service);

/* Starts workers until there are as many. */
void pool_fill(struct service *service);

/* One has left because it had nothing to do: it may have been one of those that there should always be. */
void pool_on_left(struct service *service);

/* Raises EVENT_READY when there are as many and all are ready. */
void pool_check_ready(struct service *service);

/* Whether a worker of the present generation takes connections. */
bool pool_has_current(const struct service *service);

/*
 * Workers of the present generation take the places of those before: ours at once, of others a few at a
 * time, each when it is ready. To be called again when one has become ready or has ended.
 */
void pool_roll(struct service *service);

/*
 * The same for a worker that is as it should be but has reached a limit: it goes when its successor is
 * ready, and stays if there is none, to be renewed later. Two daemons would be in each other's way:
 * one ends before the next begins. `why` is a constant.
 */
void pool_renew(struct service *service, struct worker *old, const char *why);

/* Why a worker of an older generation is renewed: pool_roll knows by it who is on the way already. */
extern const char pool_outdated[];

/* The successor is ready. */
void pool_end_renewal(struct worker *successor);

/* A worker is gone, which may have been a successor, have been waiting for one, or be a daemon's turn. */
void pool_forget_renewal(struct service *service, struct worker *gone);

/*
 * Workers beyond workers.max, which has been lowered, take no more connections and finish those that they
 * have: those of an older generation first, then the newest.
 */
void pool_keep_to_max(struct service *service);

/* Tells the workers to take no more connections and to finish those they have. */
void pool_drain_workers(struct service *service);

/* Raises EVENT_RETRY, once. */
void pool_retry_after(struct service *service, uint64_t delay_ms);
void pool_retry_cancel(struct service *service);

/* The delay that the last death has earned. */
uint64_t pool_next_delay_ms(const struct service *service);

/* The one timer of a service: for the next look at its queue, or (is_retry) for the next try. */
void pool_set_timer(struct service *service, uint64_t ms, bool is_retry);

/* Stops it if it stands for that. */
void pool_stop_timer(struct service *service, bool is_retry);

#endif
