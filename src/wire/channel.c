#include "wire/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

struct channel_pending {
	struct channel_pending *next;
	size_t length;
	size_t n_fds;
	int *fds; /* owned copies, behind the bytes */
	char bytes[];
};

static void pending_free(struct channel_pending *pending)
{
	for (size_t i = 0; i < pending->n_fds; i++)
		fd_close(&pending->fds[i]);
	free(pending->fds);
	free(pending);
}

void channel_init(struct channel *channel, int socket)
{
	*channel = (struct channel){ .socket = socket };
}

void channel_deepen(const struct channel *channel)
{
	int size = 4 * 1024 * 1024;
	if (setsockopt(channel->socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
		setsockopt(channel->socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

void channel_fini(struct channel *channel)
{
	while (channel->first) {
		struct channel_pending *pending = channel->first;
		channel->first = pending->next;
		pending_free(pending);
	}
	channel->last = NULL;
	fd_close(&channel->socket);
}

static bool is_full(int error)
{
	return error == -EAGAIN || error == -ETOOMANYREFS || error == -ENOBUFS;
}

static int keep(
	struct channel *channel, const void *bytes, size_t length, const int fds[], size_t n_fds)
{
	struct channel_pending *pending = calloc(1, sizeof *pending + length);
	if (!pending)
		return -ENOMEM;
	pending->fds = n_fds ? calloc(n_fds, sizeof *pending->fds) : NULL;
	if (n_fds && !pending->fds) {
		free(pending);
		return -ENOMEM;
	}
	for (; pending->n_fds < n_fds; pending->n_fds++) {
		pending->fds[pending->n_fds] = fd_copy(fds[pending->n_fds]);
		if (pending->fds[pending->n_fds] < 0) {
			int error = -errno;
			pending_free(pending);
			return error;
		}
	}
	memcpy(pending->bytes, bytes, length);
	pending->length = length;
	if (channel->last)
		channel->last->next = pending;
	else
		channel->first = pending;
	channel->last = pending;
	return 0;
}

int channel_send(
	struct channel *channel, const void *bytes, size_t length, const int fds[], size_t n_fds)
{
	if (channel->first)
		return keep(channel, bytes, length, fds, n_fds);
	int r = descriptor_send(channel->socket, bytes, length, fds, n_fds);
	return is_full(r) ? keep(channel, bytes, length, fds, n_fds) : r;
}

bool channel_has_backlog(const struct channel *channel)
{
	return channel->first != NULL;
}

int channel_flush(struct channel *channel)
{
	while (channel->first) {
		struct channel_pending *pending = channel->first;
		int r = descriptor_send(
			channel->socket, pending->bytes, pending->length, pending->fds, pending->n_fds);
		if (is_full(r))
			return 0;
		if (r < 0)
			return r;
		channel->first = pending->next;
		if (!channel->first)
			channel->last = NULL;
		pending_free(pending);
	}
	return 0;
}
