#include "library/connection.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

/* Kernel headers older than Linux 4.11 lack it. */
#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

static void set_address(union fdsup_address *address, const struct endpoint *end)
{
	*address = (union fdsup_address){ .any.sa_family = end->family };
	if (end->family == AF_INET) {
		address->in.sin_port = htons(end->port);
		memcpy(&address->in.sin_addr, end->ip, 4);
	} else if (end->family == AF_INET6) {
		address->in6.sin6_port = htons(end->port);
		address->in6.sin6_scope_id = end->scope;
		memcpy(&address->in6.sin6_addr, end->ip, 16);
	} else if (end->family != AF_UNIX) {
		address->any.sa_family = AF_UNSPEC;
	}
}

static void set_peer(struct fdsup_connection *connection, const struct endpoint *end)
{
	set_address(&connection->peer, end);
	if (end->family == AF_UNIX) {
		connection->peer_uid = end->unix_peer.uid;
		connection->peer_gid = end->unix_peer.gid;
		connection->peer_pid = end->unix_peer.pid;
	}
}

static int ask_kernel(struct fdsup_connection *connection, int fd)
{
	struct sockaddr_storage name = { .ss_family = AF_UNSPEC };
	struct endpoint end;
	int type;
	socklen_t size = sizeof type;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
		(type != SOCK_STREAM && type != SOCK_SEQPACKET))
		return -EBADMSG;
	size = sizeof connection->id;
	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &connection->id, &size);
	size = sizeof name;
	/* After a reset there is no peer: an address that is not known. */
	if (getpeername(fd, (struct sockaddr *)&name, &size) == 0) {
		end = name.ss_family == AF_UNIX
			      ? endpoint_of_unix_peer(fd)
			      : endpoint_from_sockaddr((const struct sockaddr *)&name);
		set_peer(connection, &end);
	}
	size = sizeof name;
	if (getsockname(fd, (struct sockaddr *)&name, &size) == 0) {
		end = endpoint_from_sockaddr((const struct sockaddr *)&name);
		set_address(&connection->local, &end);
	}
	return 0;
}

int connection_fill(struct fdsup_connection *connection, const struct handoff *record, int fd)
{
	*connection = (struct fdsup_connection){ .taken_ns = clock_now_ns() };
	connection->accepted_ns = connection->taken_ns;
	if (record->version == 0)
		return ask_kernel(connection, fd);
	connection->id = record->connection;
	connection->accepted_ns = record->accepted_ns;
	set_peer(connection, &record->peer);
	set_address(&connection->local, &record->local);
	return 0;
}

struct endpoint connection_peer(const struct fdsup_connection *connection)
{
	if (connection->peer.any.sa_family != AF_UNIX)
		return endpoint_from_sockaddr(&connection->peer.any);
	return (struct endpoint){
		.family = AF_UNIX,
		.unix_peer = {
			.uid = connection->peer_uid,
			.gid = connection->peer_gid,
			.pid = connection->peer_pid,
		},
	};
}

struct endpoint connection_local(const struct fdsup_connection *connection)
{
	return endpoint_from_sockaddr(&connection->local.any);
}

_Static_assert((int)FDSUP_TEXT_SIZE == (int)ENDPOINT_TEXT_SIZE, "room for every text");

char *fdsup_peer_text(const struct fdsup_connection *connection, char *text)
{
	struct endpoint end = connection_peer(connection);
	return endpoint_format(text, &end);
}

char *fdsup_local_text(const struct fdsup_connection *connection, char *text)
{
	struct endpoint end = connection_local(connection);
	return endpoint_format(text, &end);
}
