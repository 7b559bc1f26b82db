/*
 * Keeps up how services stand (policy/standing.h): looks at all of them once a second while somebody
 * follows events, or one was seen that is not as its state says. Nobody is woken for it otherwise.
 */
#ifndef FDSUP_SUPERVISOR_STANDING_WATCH_H
#define FDSUP_SUPERVISOR_STANDING_WATCH_H

#include "supervisor/service/service.h"

void standing_watch_init(struct supervisor *supervisor);
void standing_watch_stop(struct supervisor *supervisor);

/* Somebody follows events: what happens from now on is told. */
void standing_watch_begin(struct supervisor *supervisor);

/* As service_judge; what is seen is noted. */
void standing_watch_judge(struct service *service, struct health *ret_health);

#endif
