/*
 * What is, as JSON: the types of src/admin/org.fdsup.varlink.
 */
#ifndef FDSUP_SUPERVISOR_SNAPSHOT_H
#define FDSUP_SUPERVISOR_SNAPSHOT_H

#include <jansson.h>

#include "policy/health.h"

struct service;
struct supervisor;

/* The answer to Status: of the named services, which is an array of strings; NULL: of all. */
json_t *snapshot_status(const struct supervisor *supervisor, const json_t *names);

/* Append the listeners, the workers of the service to an array. */
void snapshot_add_listeners(const struct service *service, json_t *array);
void snapshot_add_workers(const struct service *service, json_t *array);

/* The sentences of a judgement, as an array of strings. */
json_t *snapshot_lines(const struct health *health);

#endif
