#include "library/classic.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

/* Readiness looked at in one call. The kernel goes round: each acceptor has its turn. */
enum { BATCH = 16 };

/* An abstract name has no permissions: there the peer's user decides. */
static bool may_send(const struct fdsup_channel *channel, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (!channel->asks_who)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

int classic_add(struct fdsup_channel *channel, int fd)
{
	if (channel->n_acceptors == CHANNEL_ACCEPTORS_MAX)
		return -EMFILE;
	int r = channel_watch(channel, fd, EPOLLIN);
	if (r == 0)
		channel->acceptors[channel->n_acceptors++] = fd;
	return r;
}

static void drop_acceptor(struct fdsup_channel *channel, size_t i)
{
	channel_forget(channel, &channel->acceptors[i]);
	channel->acceptors[i] = channel->acceptors[--channel->n_acceptors];
	/* Acceptors that were kept waiting may come in now. */
	if (channel->listen_fd >= 0)
		channel_watch(channel, channel->listen_fd, EPOLLIN);
}

static int accept_acceptor(struct fdsup_channel *channel)
{
	if (channel->n_acceptors == CHANNEL_ACCEPTORS_MAX)
		return channel_watch(channel, channel->listen_fd, 0);
	fd_auto int fd = accept4(channel->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR ? 0 : -errno;
	/* Room for the connection that it will send must be left, or that would be lost. */
	if (!may_send(channel, fd) || channel_room(channel) < 0)
		return 0;
	int r = classic_add(channel, fd);
	if (r == 0)
		fd_take(&fd);
	return r;
}

/* As handoff_receive; an acceptor that is at its end or sends nonsense is dropped: -EAGAIN. */
static int take_from(
	struct fdsup_channel *channel, int fd, struct handoff *ret_record, int *ret_connection)
{
	size_t i = 0;
	while (i < channel->n_acceptors && channel->acceptors[i] != fd)
		i++;
	if (i == channel->n_acceptors)
		return -EAGAIN;
	int r = channel_room(channel);
	if (r < 0)
		return r;
	r = handoff_receive(fd, ret_record, ret_connection);
	if (r == 1 || r == -EAGAIN || r == -EMFILE)
		return r;
	drop_acceptor(channel, i);
	return -EAGAIN;
}

int classic_take(struct fdsup_channel *channel, struct handoff *ret_record, int *ret_connection)
{
	struct epoll_event events[BATCH];
	int n = epoll_wait(channel->epoll_fd, events, BATCH, 0);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;
		int r = -EAGAIN;
		if (fd == channel->listen_fd)
			r = accept_acceptor(channel);
		else if (fd != channel->event_fd)
			r = take_from(channel, fd, ret_record, ret_connection);
		if (r != 0 && r != -EAGAIN)
			return r;
	}
	return channel->listen_fd < 0 && channel->n_acceptors == 0 ? 0 : -EAGAIN;
}

void classic_retire(struct fdsup_channel *channel)
{
	if (channel->listen_fd >= 0 && channel->owner == getpid())
		unix_file_remove(&channel->file, channel->name.address.sun_path);
	channel_forget(channel, &channel->listen_fd);
	for (size_t i = 0; i < channel->n_acceptors; i++)
		shutdown(channel->acceptors[i], SHUT_RD);
}
