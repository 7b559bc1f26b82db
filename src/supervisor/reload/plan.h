/*
 * From one configuration to another: what becomes of each service, everything new bound first, then
 * all switched at once. Whatever fails before that leaves all as it was.
 */
#ifndef FDSUP_SUPERVISOR_PLAN_H
#define FDSUP_SUPERVISOR_PLAN_H

#include <stdbool.h>
#include <jansson.h>

struct config;
struct supervisor;

/*
 * Takes the configuration. 0 with the plan in *ret_changes (an array of Change, the caller's), which has
 * been carried out unless is_dry_run; or -errno, with the reasons appended to `errors`.
 */
int plan_apply(struct supervisor *supervisor, struct config *config, bool is_dry_run,
	json_t **ret_changes, json_t *errors);

#endif
