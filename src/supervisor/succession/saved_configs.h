/*
 * The configurations in force, as texts that any version can read again: that of the supervisor, and
 * older ones by which services still finish. Users and groups are looked up anew, in a process of its
 * own; or a process of the same program has done it before, and left the result in a pack.
 */
#ifndef FDSUP_SUPERVISOR_SAVED_CONFIGS_H
#define FDSUP_SUPERVISOR_SAVED_CONFIGS_H

#include "supervisor/succession/state.h"

struct service_config;
struct supervisor;

/* The record of an edition is "texts/N"; its one descriptor is a memory file with the texts. */
int saved_configs_add(const struct supervisor *supervisor, struct state *state);

/*
 * Loads them all, the one in force into supervisor->config. A pack is taken from, or when this is
 * but a check, put into supervisor->pack_fd. 0, or -errno with the reason.
 */
int saved_configs_load(
	struct supervisor *supervisor, const struct state *state, char error[STATE_ERROR_SIZE]);

/* Keys that are fixed at the start stay what they were, whatever the texts say. 0 or -ENOMEM. */
int saved_configs_fix(struct supervisor *supervisor, const char *runtime_dir, const char *admin_socket);

/* Moves a service out of an edition; NULL: it has none of that name. */
struct service_config *saved_configs_take(
	struct supervisor *supervisor, uint64_t edition, const char *name);

/* What no service has taken. */
void saved_configs_free(struct supervisor *supervisor);

#endif
