#include "worker/classic.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

static bool is_allowed(const struct options *options, uid_t uid)
{
	if (uid == 0 || uid == geteuid())
		return true;
	for (size_t i = 0; i < options->n_allowed_uids; i++)
		if (options->allowed_uids[i] == uid)
			return true;
	return false;
}

static void classic_watch(struct source *source, bool for_connections, bool for_reports)
{
	struct classic *classic = (struct classic *)source;
	(void)for_reports; /* nobody listens to them */
	bool has_room = classic->n_acceptors < CLASSIC_ACCEPTORS_MAX;
	classic->polled[1] = (struct pollfd){
		.fd = for_connections && has_room ? classic->listen_fd : -1,
		.events = POLLIN,
	};
	for (size_t i = 0; i < classic->n_acceptors; i++)
		classic->polled[2 + i] = (struct pollfd){
			.fd = for_connections ? classic->acceptors[i] : -1,
			.events = POLLIN,
		};
	classic->source.n_polled = 2 + classic->n_acceptors;
}

/* The last one takes the place of the one that goes, in both arrays. */
static void drop_acceptor(struct classic *classic, size_t i)
{
	size_t last = --classic->n_acceptors;
	fd_close(&classic->acceptors[i]);
	classic->acceptors[i] = classic->acceptors[last];
	classic->polled[2 + i] = classic->polled[2 + last];
	classic->source.n_polled = 2 + last;
	log_info("%s: an acceptor is gone, %zu left", classic->file.name, last);
}

/* Room for the connection that it will send must be left, or that would be lost. */
static bool leaves_room(int fd)
{
	fd_auto int copy = fd_copy(fd);
	return copy >= 0;
}

static int add_acceptor(struct classic *classic)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	fd_auto int fd = accept4(classic->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR ? -EAGAIN : -errno;
	if (!leaves_room(fd)) {
		log_error("%s: an acceptor is turned away: too few descriptors (ulimit -n)",
			classic->file.name);
		return 0;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	if (!is_allowed(classic->options, peer.uid)) {
		log_error("%s: process %d of uid %u may not send connections: only root and uid "
			  "%u may; --allow-uid %u would allow it",
			classic->file.name, (int)peer.pid, (unsigned)peer.uid, (unsigned)geteuid(),
			(unsigned)peer.uid);
		return 0;
	}
	log_info("%s: process %d sends connections", classic->file.name, (int)peer.pid);
	classic->polled[2 + classic->n_acceptors] = (struct pollfd){ .fd = fd, .revents = POLLIN };
	classic->acceptors[classic->n_acceptors++] = fd_take(&fd);
	classic->source.n_polled++;
	return 0;
}

/* As handoff_receive; an acceptor that is at its end or sends nonsense is dropped: -EAGAIN. */
static int take_from(
	struct classic *classic, size_t i, struct handoff *ret_record, int *ret_connection)
{
	if (!classic->polled[2 + i].revents)
		return -EAGAIN;
	int r = handoff_receive(classic->acceptors[i], ret_record, ret_connection);
	if (r == 1 || r == -EMFILE)
		return r;
	if (r == -EAGAIN) {
		classic->polled[2 + i].revents = 0;
		return r;
	}
	if (r == -EBADMSG)
		log_error("%s: an acceptor sent something without exactly one descriptor: "
			  "its connection to us is closed",
			classic->file.name);
	else if (r < 0)
		log_error("%s: cannot receive from an acceptor: %s", classic->file.name,
			strerror(-r));
	drop_acceptor(classic, i);
	return -EAGAIN;
}

/* Goes round by turns from where it stopped, so that no acceptor is kept waiting by another. */
static int take_next(struct classic *classic, struct handoff *ret_record, int *ret_connection)
{
	size_t n_silent = 0;
	while (n_silent < classic->n_acceptors) {
		size_t i = classic->next < classic->n_acceptors ? classic->next : 0;
		size_t n_before = classic->n_acceptors;
		int r = take_from(classic, i, ret_record, ret_connection);
		bool is_dropped = classic->n_acceptors < n_before;
		classic->next = is_dropped ? i : i + 1;
		if (r != -EAGAIN)
			return r;
		n_silent += !is_dropped;
	}
	return -EAGAIN;
}

static int classic_take(struct source *source, struct handoff *ret_record, int *ret_connection)
{
	struct classic *classic = (struct classic *)source;
	if (classic->polled[1].revents && classic->listen_fd >= 0) {
		classic->polled[1].revents = 0;
		int r = add_acceptor(classic);
		if (r < 0 && r != -EAGAIN)
			return r;
	}
	int r = take_next(classic, ret_record, ret_connection);
	bool is_over = classic->listen_fd < 0 && classic->n_acceptors == 0;
	return r == -EAGAIN && is_over ? 0 : r;
}

/*
 * Acceptors see EPIPE from now on and keep what they have; what they had sent before can still be
 * received, up to the end.
 */
static void classic_retire(struct source *source)
{
	struct classic *classic = (struct classic *)source;
	socket_file_remove(&classic->file);
	fd_close(&classic->listen_fd);
	for (size_t i = 0; i < classic->n_acceptors; i++)
		shutdown(classic->acceptors[i], SHUT_RD);
}

static void classic_close(struct source *source)
{
	struct classic *classic = (struct classic *)source;
	if (classic->listen_fd >= 0)
		socket_file_remove(&classic->file);
	fd_close(&classic->listen_fd);
	while (classic->n_acceptors > 0)
		fd_close(&classic->acceptors[--classic->n_acceptors]);
}

bool classic_open(struct classic *classic, const struct options *options)
{
	static const struct source_methods methods = {
		.watch = classic_watch,
		.take = classic_take,
		.retire = classic_retire,
		.close = classic_close,
	};
	*classic = (struct classic){
		.source = { .methods = &methods, .n_polled = 2 },
		.options = options,
	};
	classic->source.polled = classic->polled;
	classic->listen_fd =
		socket_file_listen(&classic->file, options->socket_name, options->socket_mode);
	if (classic->listen_fd < 0)
		return false;
	log_info("%s: waiting for acceptors", options->socket_name);
	return true;
}
