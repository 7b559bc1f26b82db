/*
 * Watching the queue of a service: the first connection starts a worker, those that keep waiting add
 * more, workers that nobody needs are let go, and those that take nothing are found.
 *
 * A service whose workers get the listeners has no queue: those are watched for the first client. The decisions are those of policy/growth.h.
 */
#ifndef FDSUP_SUPERVISOR_WATCH_H
#define FDSUP_SUPERVISOR_WATCH_H

#include "supervisor/service/service.h"

/* Waits for the next client. */
void watch_start(struct service *service);
void watch_stop(struct service *service);
bool watch_is_awaiting(const struct service *service);

/* Begins to look at the queue now and then, after a worker was started for what waits in it. */
void watch_begin(struct service *service);

/* One look: the service's timer says that it is time. */
void watch_look(struct service *service);

#endif
