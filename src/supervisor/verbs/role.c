#include "supervisor/verbs/role.h"

#include <unistd.h>

#include "supervisor/supervisor.h"

static bool has_uid(const uid_t *uids, size_t n, uid_t uid)
{
	for (size_t i = 0; i < n; i++)
		if (uids[i] == uid)
			return true;
	return false;
}

static bool has_gid(const gid_t *gids, size_t n, gid_t gid)
{
	for (size_t i = 0; i < n; i++)
		if (gids[i] == gid)
			return true;
	return false;
}

enum admin_role role_of(void *context, const struct ucred *peer)
{
	const struct config *config = ((struct supervisor *)context)->config;
	if (peer->uid == 0 || peer->uid == geteuid() ||
		has_uid(config->control_uids, config->n_control_uids, peer->uid) ||
		has_gid(config->control_gids, config->n_control_gids, peer->gid))
		return ADMIN_ROLE_CONTROL;
	if (config->is_status_public ||
		has_uid(config->status_uids, config->n_status_uids, peer->uid) ||
		has_gid(config->status_gids, config->n_status_gids, peer->gid))
		return ADMIN_ROLE_STATUS;
	return ADMIN_ROLE_NONE;
}
