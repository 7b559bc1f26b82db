/*
 * How much of each of its limits a service has used: for `fdsupctl status -v` and programs.
 */
#ifndef FDSUP_SUPERVISOR_SNAPSHOT_LIMITS_H
#define FDSUP_SUPERVISOR_SNAPSHOT_LIMITS_H

#include <jansson.h>
#include <stdint.h>

struct service;

/* An array of Limit: see admin/org.fdsup.varlink. */
json_t *snapshot_limits(const struct service *service, uint64_t now_ns);

#endif
