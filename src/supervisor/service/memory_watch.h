/*
 * Looks now and then at the memory of the workers of services with max_rss, and replaces those that
 * have grown too large. Nothing wakes up where no such service has a worker. The decision is that of
 * policy/recycle.h.
 */
#ifndef FDSUP_SUPERVISOR_MEMORY_WATCH_H
#define FDSUP_SUPERVISOR_MEMORY_WATCH_H

struct supervisor;

void memory_watch_init(struct supervisor *supervisor);

/* A service has max_rss and a worker: looks go on until there is none any more. */
void memory_watch_start(struct supervisor *supervisor);
void memory_watch_stop(struct supervisor *supervisor);

#endif
