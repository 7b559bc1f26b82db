/*
 * The workers of a service: how many run, when one more is started, and what a death means.
 *
 * The decisions are those of policy/backoff.h and policy/growth.h; here they meet the queue, the
 * timers and the processes.
 */
#ifndef FDSUP_SUPERVISOR_POOL_H
#define FDSUP_SUPERVISOR_POOL_H

#include <stdint.h>

#include "supervisor/service.h"

void pool_init(struct service *service);

/* Watches the queue: the first connection starts a worker, waiting ones add more. */
void pool_watch(struct service *service);
void pool_unwatch(struct service *service);

/* Starts workers until there are as many as there should be: workers.min, at least one. */
void pool_fill(struct service *service);

/* Raises EVENT_READY when there are as many workers as there should be and all are ready. */
void pool_check_ready(struct service *service);

/* Starts a worker in the place of one that is then drained. */
void pool_replace(struct service *service, struct worker *old);

/* Raises EVENT_RETRY, once. */
void pool_retry_after(struct service *service, uint64_t delay_ms);
void pool_retry_cancel(struct service *service);

/* The delay that the last death has earned. */
uint64_t pool_next_delay_ms(const struct service *service);

/* Tells the workers to take no more connections and to finish those they have. */
void pool_drain_workers(struct service *service);

/*
 * Brings a service that is draining nearer to its end: what was accepted is still served, then its
 * workers finish. Raises EVENT_EMPTY when a service that is being ended has no process left, orphans
 * included.
 */
void pool_check_empty(struct service *service);

#endif
