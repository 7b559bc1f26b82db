#include "library/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "fdsup/worker.h"
#include "library/classic.h"
#include "library/connection.h"
#include "wire/handoff.h"

enum { QUEUE_FD_DEFAULT = 3, BACKLOG = 128 };

/* So many messages that are none are dropped in one call: a sender of nonsense must not hold us. */
enum { BAD_IN_A_ROW = 16 };

int channel_watch(struct fdsup_channel *channel, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	if (epoll_ctl(channel->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	if (errno == EEXIST && epoll_ctl(channel->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
		return 0;
	return -errno;
}

void channel_forget(struct fdsup_channel *channel, int *fd)
{
	if (*fd >= 0)
		epoll_ctl(channel->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
	fd_close(fd);
}

int channel_room(const struct fdsup_channel *channel)
{
	fd_auto int copy = fd_copy(channel->event_fd);
	return copy < 0 ? -errno : 0;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static int channel_create(struct fdsup_channel **ret_channel)
{
	struct fdsup_channel *channel = malloc(sizeof *channel);
	if (!channel)
		return -ENOMEM;
	*channel = (struct fdsup_channel){
		.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
		.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.queue_fd = -1,
		.listen_fd = -1,
		.owner = getpid(),
	};
	int r = channel->epoll_fd < 0 || channel->event_fd < 0 ? -errno : 0;
	if (r == 0)
		r = channel_watch(channel, channel->event_fd, EPOLLIN);
	if (r < 0)
		fdsup_close(channel);
	else
		*ret_channel = channel;
	return r;
}

void fdsup_close(struct fdsup_channel *channel)
{
	if (!channel)
		return;
	channel_release_signals(channel);
	if (channel->owner == getpid()) {
		channel_flush_all(channel);
		if (channel->listen_fd >= 0)
			unix_file_remove(&channel->file, channel->name.address.sun_path);
	}
	fd_close(&channel->listen_fd);
	while (channel->n_acceptors > 0)
		fd_close(&channel->acceptors[--channel->n_acceptors]);
	fd_close(&channel->queue_fd);
	fd_close(&channel->event_fd);
	fd_close(&channel->epoll_fd);
	slots_unmap(&channel->slots);
	free(channel->claims);
	free(channel->reports);
	free(channel);
}

enum kind { KIND_QUEUE, KIND_LISTENER, KIND_ACCEPTOR };

static int get_option(int fd, int option)
{
	int value;
	socklen_t size = sizeof value;
	return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -errno : value;
}

static bool has_abstract_name(int fd)
{
	struct sockaddr_un name;
	socklen_t size = sizeof name;
	return getsockname(fd, (struct sockaddr *)&name, &size) == 0 &&
	       size > offsetof(struct sockaddr_un, sun_path) && name.sun_path[0] == 0;
}

/* enum kind, or -errno. */
static int kind_of(int fd)
{
	int domain = get_option(fd, SO_DOMAIN);
	if (domain < 0)
		return domain;
	int type = get_option(fd, SO_TYPE);
	if (domain != AF_UNIX || (type != SOCK_SEQPACKET && type != SOCK_STREAM))
		return -EPROTOTYPE;
	if (get_option(fd, SO_ACCEPTCONN) == 1)
		return type == SOCK_STREAM ? KIND_LISTENER : -EPROTOTYPE;
	return type == SOCK_STREAM ? KIND_ACCEPTOR : KIND_QUEUE;
}

static int adopt(struct fdsup_channel *channel, int fd, enum kind kind)
{
	/* accept4 knows no flag that keeps it from waiting. The listener is ours: nobody minds. */
	int r = kind == KIND_LISTENER ? fd_set_nonblocking(fd) : 0;
	if (r == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		r = -errno;
	if (r < 0)
		return r;
	if (kind == KIND_ACCEPTOR)
		return classic_add(channel, fd);
	r = channel_watch(channel, fd, EPOLLIN);
	if (r < 0)
		return r;
	if (kind == KIND_QUEUE) {
		channel->queue_fd = fd;
	} else {
		channel->listen_fd = fd;
		channel->asks_who = has_abstract_name(fd);
	}
	return 0;
}

int fdsup_open_fd(struct fdsup_channel **ret_channel, int fd)
{
	struct fdsup_channel *channel;
	int kind = kind_of(fd);
	if (kind < 0)
		return kind;
	int r = channel_create(&channel);
	if (r < 0)
		return r;
	r = adopt(channel, fd, (enum kind)kind);
	if (r < 0)
		fdsup_close(channel);
	else
		*ret_channel = channel;
	return r;
}

/* -EINVAL: it is no number; -ENOENT: it is not set. */
static int descriptor_from(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	if (!text)
		return -ENOENT;
	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	long long fd = strtoll(text, &end, 10);
	return *end || fd > INT_MAX ? -EINVAL : (int)fd;
}

int fdsup_open(struct fdsup_channel **ret_channel)
{
	int fd = descriptor_from("FDSUP_QUEUE");
	int slots_fd = descriptor_from("FDSUP_SLOTS");
	if (fd < 0 && fd != -ENOENT)
		return fd;
	int r = fdsup_open_fd(ret_channel, fd < 0 ? QUEUE_FD_DEFAULT : fd);
	if (r < 0 || slots_fd < 0 || (*ret_channel)->queue_fd < 0)
		return r;
	/* It stays open: a process that we fork may open a channel of its own. */
	if (slots_map(slots_fd, &(*ret_channel)->slots) == 0)
		fcntl(slots_fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

int fdsup_listen(struct fdsup_channel **ret_channel, const char *name, mode_t mode)
{
	const struct unix_access access = { (uid_t)-1, (gid_t)-1, mode };
	struct fdsup_channel *channel;
	int r = channel_create(&channel);
	if (r < 0)
		return r;
	r = unix_name_parse(name, &channel->name);
	int fd = r < 0 ? r : unix_name_listen(&channel->name, &access, BACKLOG, &channel->file);
	if (fd < 0) {
		fdsup_close(channel);
		return fd;
	}
	r = adopt(channel, fd, KIND_LISTENER);
	if (r < 0) {
		unix_file_remove(&channel->file, channel->name.address.sun_path);
		fd_close(&fd);
		fdsup_close(channel);
	}
	if (r == 0)
		*ret_channel = channel;
	return r;
}

int fdsup_fd(const struct fdsup_channel *channel)
{
	return channel->epoll_fd;
}

/* ---- taking ---------------------------------------------------------------------------------- */

void fdsup_stop(struct fdsup_channel *channel)
{
	if (channel->is_stopped)
		return;
	channel->is_stopped = true;
	/* It fails only when it is readable already. */
	eventfd_write(channel->event_fd, 1);
	if (channel->queue_fd < 0)
		classic_retire(channel);
}

/* As classic_take. */
static int take_from_queue(
	struct fdsup_channel *channel, struct handoff *ret_record, int *ret_connection)
{
	if (channel->is_stopped || channel->is_gone)
		return 0;
	int r = channel_room(channel);
	if (r < 0)
		return r;
	r = handoff_receive(channel->queue_fd, ret_record, ret_connection);
	if (r == 0 || r == -EPIPE)
		channel->is_gone = true;
	if (r == 1 && !channel_claim(channel, ret_record)) {
		fd_close(ret_connection);
		return -EBADMSG; /* not for us */
	}
	return r == -EPIPE ? 0 : r;
}

int fdsup_take(struct fdsup_channel *channel, struct fdsup_connection *ret_connection)
{
	struct handoff record;
	int r;
	channel_heed_signal(channel);
	channel_flush(channel);
	for (int i = 0; i < BAD_IN_A_ROW; i++) {
		int fd = -1;
		r = channel->queue_fd >= 0 ? take_from_queue(channel, &record, &fd)
					   : classic_take(channel, &record, &fd);
		if (r == 1) {
			r = connection_fill(ret_connection, &record, fd);
			if (r == 0)
				return fd;
			fd_close(&fd);
		} else if (r == 0) {
			return -EPIPE;
		}
		if (r != -EBADMSG)
			return r;
	}
	return -EAGAIN;
}

static int remaining_ms(uint64_t deadline_ms)
{
	uint64_t now_ms = clock_now_ms();
	return now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0;
}

int fdsup_wait(
	struct fdsup_channel *channel, struct fdsup_connection *ret_connection, int timeout_ms)
{
	uint64_t deadline_ms = timeout_ms > 0 ? clock_now_ms() + (uint64_t)timeout_ms : 0;
	for (;;) {
		struct epoll_event event;
		int r = fdsup_take(channel, ret_connection);
		if (r != -EAGAIN)
			return r;
		int left_ms = timeout_ms < 0 ? -1 : remaining_ms(deadline_ms);
		int n = epoll_wait(channel->epoll_fd, &event, 1, left_ms);
		if (n == 0)
			return -EAGAIN;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0) {
			/* The signal may have been the one that stops us. */
			r = fdsup_take(channel, ret_connection);
			return r == -EAGAIN ? -EINTR : r;
		}
	}
}
