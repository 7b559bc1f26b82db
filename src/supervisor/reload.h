/*
 * Reload: a transaction. The file is loaded beside the running configuration, everything new is
 * bound first, then all is switched at once; whatever fails before that leaves all as it was.
 */
#ifndef FDSUP_SUPERVISOR_RELOAD_H
#define FDSUP_SUPERVISOR_RELOAD_H

#include <stdbool.h>
#include <jansson.h>

struct supervisor;

/*
 * 0 with the plan in *ret_changes (an array of Change), which has been carried out unless
 * is_dry_run; or -EINVAL with the reasons in *ret_errors (an array of strings). Either is the
 * caller's.
 */
int reload(struct supervisor *supervisor, bool is_dry_run, json_t **ret_changes, json_t **ret_errors);

/* The file "listeners" in the runtime directory, as things are now. */
void reload_publish_listeners(const struct supervisor *supervisor);

#endif
