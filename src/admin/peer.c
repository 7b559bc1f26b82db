/*
 * Who is at the other end, as the kernel tells it: credentials of the moment of connect(2), and the
 * supplementary groups, so that "@wheel" in the configuration means what it says.
 *
 * Asked anew for each call: a reload may have taken a role away from a client that stayed.
 */
#include "admin/client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

/* An array of *ret_n groups, to be freed; NULL if there are none to be known. */
static gid_t *peer_groups(int fd, size_t *ret_n)
{
	socklen_t size = 64 * sizeof(gid_t);
	gid_t *groups = NULL;
	for (int attempt = 0; attempt < 2; attempt++) {
		gid_t *larger = realloc(groups, size ? size : 1);
		if (!larger)
			break;
		groups = larger;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0) {
			*ret_n = size / sizeof(gid_t);
			return groups;
		}
		if (errno != ERANGE)
			break;
	}
	free(groups);
	return NULL;
}

enum admin_role peer_role(const struct admin_client *client)
{
	const struct admin_interface *interface = client->server->interface;
	struct ucred peer = client->peer;
	enum admin_role role = interface->role_of(interface->context, &peer);
	size_t n_groups = 0;
	gid_t *groups =
		role < ADMIN_ROLE_CONTROL ? peer_groups(client->connection.io.fd, &n_groups) : NULL;
	for (size_t i = 0; i < n_groups && role < ADMIN_ROLE_CONTROL; i++) {
		peer.gid = groups[i];
		enum admin_role by_group = interface->role_of(interface->context, &peer);
		if (by_group > role)
			role = by_group;
	}
	free(groups);
	return role;
}

const char *role_name(enum admin_role role)
{
	static const char *const names[] = { "none", "status", "control" };
	return names[role];
}
