/*
 * The end of a service: what was accepted is still served, workers finish or are ended, and nothing
 * that descends from it is left.
 */
#ifndef FDSUP_SUPERVISOR_ENDING_H
#define FDSUP_SUPERVISOR_ENDING_H

#include "supervisor/service/service.h"

/*
 * Brings a service that is draining or being ended nearer to its end, and raises EVENT_EMPTY when it
 * has no process left, orphans included; of one that hung, the event that its hanging has earned.
 * Asked whenever that may have changed, and by the timer.
 */
void ending_check(struct service *service);

/*
 * Ends what a daemon has left behind although it has no process of ours any more: it went into the
 * background, and the next one would be a second one. How many there were.
 */
unsigned ending_clear_leftovers(const struct service *service);

#endif
