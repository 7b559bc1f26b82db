#include "worker/connection.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"

static void complete(int connection, struct handoff *record, const struct sockaddr *peer)
{
	struct sockaddr_storage local;
	socklen_t size = sizeof local;
	/* A sender of the classic format may have set O_NONBLOCK, which inetd's programs do not expect. */
	fd_set_blocking(connection);
	if (peer->sa_family == AF_UNIX) {
		record->peer = endpoint_of_unix_peer(connection);
		return;
	}
	record->peer = endpoint_from_sockaddr(peer);
	if (getsockname(connection, (struct sockaddr *)&local, &size) == 0)
		record->local = endpoint_from_sockaddr((const struct sockaddr *)&local);
}

int connection_examine(int connection, struct handoff *record)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof peer;
	if (getpeername(connection, (struct sockaddr *)&peer, &size) < 0 && errno == ENOTCONN)
		return -ENOTCONN;
	if (record->peer.family == 0)
		complete(connection, record, (const struct sockaddr *)&peer);
	return 0;
}
