/*
 * The local time, for the acceptors: they cannot open the files of the time zones, so they are told
 * what the clock on the wall does in the year that was and the two that come. The files are looked
 * at again with each reload, and once an hour while a service has the key hours.
 */
#ifndef FDSUP_SUPERVISOR_ZONE_H
#define FDSUP_SUPERVISOR_ZONE_H

#include "wire/hours.h"

struct acceptor;
struct supervisor;

/* The zone of this process around the time `wall_s`: TZ, or /etc/localtime as it is now. */
void zone_read(struct zone *ret_zone, int64_t wall_s);

/* Looks at the zone again, and tells the acceptors what has changed. */
void zone_refresh(struct supervisor *supervisor);

/* The hourly look, for the services that there are now. */
void zone_watch(struct supervisor *supervisor);

/* A new acceptor is told before it gets a service. */
void zone_tell(struct supervisor *supervisor, struct acceptor *acceptor);

void zone_stop(struct supervisor *supervisor);

#endif
