/*
 * What happens, told to whoever listens (`fdsupctl events`, `fdsupctl logs -f`): changes of state,
 * processes that come and go, and every line of the log. Without a listener nothing is made.
 */
#ifndef FDSUP_SUPERVISOR_EVENTS_H
#define FDSUP_SUPERVISOR_EVENTS_H

#include <jansson.h>

#include "policy/service_state.h"

struct kept_line;
struct service;
struct supervisor;
struct worker;

/* From now on the lines of the log and of the programs are events as well; NULL: no longer. */
void events_follow(struct supervisor *supervisor);

/* The service has changed its state. */
void events_on_state(const struct service *service, enum service_state was, enum service_state now);

/* "started", "ready", "exited 3 after 2s". */
void events_on_worker(const struct worker *worker, const char *what);

/* What the death of a worker has cost: "had 3 connections: 2 redelivered, 1 lost". */
void events_on_toll(const struct service *service, int pid, const char *what);

/* A LogLine. */
json_t *events_line(const struct kept_line *line);

/* The first answer of a stream of events: from here on nothing is missed. */
json_t *events_begin(struct supervisor *supervisor);

#endif
