#include "relay/peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* An abstract name has no permission bits: there the credentials alone decide, unix(7). */
static bool may_be_worker(const struct peer_rule *rule, uid_t uid)
{
	if (uid == 0 || uid == geteuid() || (rule->has_uid && uid == rule->uid))
		return true;
	return !rule->has_uid && !unix_name_is_abstract(rule->text);
}

/* Whoever listens is whoever called listen(2). */
static int check_credentials(
	const struct peer_rule *rule, int socket, char reason[PEER_REASON_SIZE])
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
		int r = -errno;
		snprintf(reason, PEER_REASON_SIZE, "%s", strerror(-r));
		return r;
	}
	if (may_be_worker(rule, peer.uid))
		return 0;
	snprintf(reason, PEER_REASON_SIZE,
		"process %d of uid %u listens there, who gets no connections; name its user in the key "
		"socket_user if that is right",
		(int)peer.pid, (unsigned)peer.uid);
	return -EACCES;
}

int peer_connect(const struct peer_rule *rule, char reason[PEER_REASON_SIZE])
{
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
		connect(fd, (const struct sockaddr *)&rule->name.address, rule->name.size) < 0) {
		int r = -errno;
		snprintf(reason, PEER_REASON_SIZE, "%s",
			r == -EAGAIN ? "it does not accept" : strerror(-r));
		return r;
	}
	int r = check_credentials(rule, fd, reason);
	return r < 0 ? r : fd_take(&fd);
}

bool peer_is_gone(int socket)
{
	char bytes[64];
	ssize_t n;
	do
		n = recv(socket, bytes, sizeof bytes, MSG_DONTWAIT);
	while (n > 0);
	return n == 0 || (errno != EAGAIN && errno != EINTR);
}
