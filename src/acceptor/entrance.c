#include "acceptor/entrance.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "acceptor/acceptor.h"
#include "acceptor/delivery.h"
#include "acceptor/following.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "wire/handoff.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

/* Taken in one turn of the loop from one sender. */
enum { TAKE_BATCH = 16 };

struct sender {
	struct sender *next; /* of the entrance */
	struct entrance *entrance;
	ev_io io; /* owns its descriptor */
	pid_t pid;
	bool is_odd; /* it has sent what is no connection, and that has been said */
};

struct entrance {
	struct entrance *next; /* of the service */
	struct service *service;
	ev_io io; /* owns its descriptor */
	uint32_t id;
	bool checks_uids;
	uid_t uids[CONTROL_UIDS];
	struct sender *senders;
	uint32_t n_senders;
};

/* ---- what is sent ---------------------------------------------------------------------------- */

/* 0: a connection. -ENOTCONN: its client has reset it. -EPROTOTYPE: it has no business here. */
static int examine(int fd)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof peer;
	int domain = fd_socket_option(fd, SO_DOMAIN);
	bool is_known = domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX;
	if (!is_known || fd_socket_option(fd, SO_TYPE) != SOCK_STREAM || fd_socket_option(fd, SO_ACCEPTCONN) != 0)
		return -EPROTOTYPE;
	return getpeername(fd, (struct sockaddr *)&peer, &size) < 0 ? -errno : 0;
}

static void say_odd(struct sender *sender, const char *what)
{
	if (!sender->is_odd)
		log_error("%s: worker socket: process %d sends %s; that is closed, connections are "
			  "taken",
			service_name(sender->entrance->service), (int)sender->pid, what);
	sender->is_odd = true;
}

static uint64_t network_of(int fd)
{
	uint64_t cookie;
	socklen_t size = sizeof cookie;
	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0 ? 0 : cookie;
}

/* The kernel tells us of TCP in our own network namespace. */
static bool is_foreign(const struct sender *sender, int fd)
{
	return fd_socket_option(fd, SO_PROTOCOL) != IPPROTO_TCP ||
	       network_of(fd) != network_of(sender->entrance->io.fd);
}

/* The record that may come with it is the sender's word: the kernel's counts. */
static void take(struct sender *sender, int given, uint64_t now_ns)
{
	struct service *service = sender->entrance->service;
	struct acceptor *acceptor = service->acceptor;
	fd_auto int fd = given;
	int r = examine(fd);
	if (r == -EPROTOTYPE)
		say_odd(sender, "descriptors that are no stream sockets of clients");
	if (r < 0)
		return;
	/* O_NONBLOCK travels with the descriptor, and commands do not expect it. */
	fd_set_blocking(fd);
	struct ledger_entry like = {
		.id = acceptor_connection_id(acceptor, fd),
		.accepted_ns = now_ns,
		.peer = endpoint_of_peer(fd),
		.local = endpoint_of_own_end(fd),
		.service = service->number,
	};
	like.is_foreign = like.peer.family != AF_UNIX && is_foreign(sender, fd);
	if (ledger_find(&acceptor->ledger, service->number, like.id)) {
		say_odd(sender, "a connection a second time");
		return;
	}
	service_trace(service, fd, &like, ESTATE_ARRIVED);
	delivery_accept(service, fd_take(&fd), &like, now_ns);
}

/* ---- senders --------------------------------------------------------------------------------- */

static void drop_sender(struct sender *sender)
{
	struct entrance *entrance = sender->entrance;
	struct sender **link = &entrance->senders;
	while (*link != sender)
		link = &(*link)->next;
	*link = sender->next;
	entrance->n_senders--;
	ev_io_stop(entrance->service->acceptor->loop, &sender->io);
	fd_close(&sender->io.fd);
	free(sender);
	if (!entrance->service->paused)
		ev_io_start(entrance->service->acceptor->loop, &entrance->io);
}

/* 1: a message was taken. Else there are no more at the moment; 0: the sender is gone. */
static int take_one(struct sender *sender, uint64_t now_ns)
{
	struct service *service = sender->entrance->service;
	struct acceptor *acceptor = service->acceptor;
	struct handoff record;
	int fd = -1;
	int r = traffic_take(service) ? ledger_reserve(&acceptor->ledger) : -ENOMEM;
	if (r == 0 && !acceptor_has_reserve(acceptor))
		r = -EMFILE;
	if (r < 0) {
		acceptor_rest(acceptor, -r);
		return -EAGAIN;
	}
	acceptor_close_reserve(acceptor);
	traces_take_for(acceptor->guard.traces, service->number, service->estate_name);
	r = handoff_receive(sender->io.fd, &record, &fd);
	acceptor_open_reserve(acceptor);
	if (r == 1)
		take(sender, fd, now_ns);
	if (r != -EBADMSG)
		return r;
	log_error("%s: worker socket: process %d sent something without exactly one descriptor: it is "
		  "disconnected",
		service_name(service), (int)sender->pid);
	return 0;
}

static void on_sent(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	struct sender *sender = io->data;
	struct service *service = sender->entrance->service;
	following_catch_up(service->acceptor);
	uint64_t now_ns = clock_now_ns();
	int r = 1;
	for (int i = 0; i < TAKE_BATCH && r == 1 && service_may_accept(service, now_ns); i++) {
		r = take_one(sender, now_ns);
		now_ns = clock_now_ns();
	}
	if (r <= 0 && r != -EAGAIN)
		drop_sender(sender);
	service_settle(service, now_ns);
}

static bool is_allowed(const struct entrance *entrance, uid_t uid)
{
	bool is_known = !entrance->checks_uids || uid == 0;
	for (size_t i = 0; i < CONTROL_UIDS && !is_known; i++)
		is_known = uid == entrance->uids[i];
	return is_known;
}

static void add_sender(struct entrance *entrance, int given)
{
	struct service *service = entrance->service;
	struct ucred peer;
	socklen_t size = sizeof peer;
	fd_auto int fd = given;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return;
	if (!is_allowed(entrance, peer.uid)) {
		log_error("%s: worker socket: process %d of uid %u may not send connections; name its "
			  "user in the key socket_user if it should",
			service_name(service), (int)peer.pid, (unsigned)peer.uid);
		return;
	}
	struct sender *sender = calloc(1, sizeof *sender);
	if (!sender)
		return;
	const struct ledger_entry like = { .id = acceptor_connection_id(service->acceptor, fd) };
	service_trace(service, fd, &like, ESTATE_OWN);
	sender->entrance = entrance;
	sender->pid = peer.pid;
	sender->next = entrance->senders;
	entrance->senders = sender;
	entrance->n_senders++;
	ev_io_init(&sender->io, on_sent, fd_take(&fd), EV_READ);
	sender->io.data = sender;
	ev_io_start(service->acceptor->loop, &sender->io);
	log_debug("%s: worker socket: process %d of uid %u sends connections", service_name(service),
		(int)peer.pid, (unsigned)peer.uid);
}

static void on_sender(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)revents;
	struct entrance *entrance = io->data;
	struct acceptor *acceptor = entrance->service->acceptor;
	traces_take_for(acceptor->guard.traces, UINT32_MAX, 0); /* a sender is no client */
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		add_sender(entrance, fd);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
		acceptor_rest(acceptor, errno);
	if (entrance->n_senders >= ENTRANCE_SENDERS_MAX)
		ev_io_stop(loop, io);
}

/* ---- the entrance ---------------------------------------------------------------------------- */

static struct entrance **find(struct service *service, uint32_t id)
{
	struct entrance **link = &service->entrances;
	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

int entrance_add(struct service *service, const struct control_listener *settings, int fd_given)
{
	fd_auto int fd = fd_given;
	struct entrance **link = find(service, settings->listener);
	if (*link)
		return -EEXIST;
	if (fd_socket_option(fd, SO_DOMAIN) != AF_UNIX || fd_socket_option(fd, SO_ACCEPTCONN) != 1)
		return -EINVAL;
	struct entrance *entrance = calloc(1, sizeof *entrance);
	if (!entrance)
		return -ENOMEM;
	entrance->service = service;
	entrance->id = settings->listener;
	entrance->checks_uids = settings->checks_uids;
	for (size_t i = 0; i < CONTROL_UIDS; i++)
		entrance->uids[i] = settings->uids[i];
	ev_io_init(&entrance->io, on_sender, fd_take(&fd), EV_READ);
	entrance->io.data = entrance;
	*link = entrance;
	if (!service->paused)
		ev_io_start(service->acceptor->loop, &entrance->io);
	return 0;
}

/* It sees an error from now on, and keeps what it has; what it has sent is taken while there is room. */
static void dismiss(struct sender *sender)
{
	const struct service *service = sender->entrance->service;
	uint64_t now_ns = clock_now_ns();
	shutdown(sender->io.fd, SHUT_RD);
	while (service->traffic->in_hand.fd < 0 && take_one(sender, now_ns) == 1)
		;
	drop_sender(sender);
}

int entrance_remove(struct service *service, uint32_t id)
{
	struct entrance **link = find(service, id);
	struct entrance *entrance = *link;
	if (!entrance)
		return -ENOENT;
	while (entrance->senders)
		dismiss(entrance->senders);
	*link = entrance->next;
	ev_io_stop(service->acceptor->loop, &entrance->io);
	fd_close(&entrance->io.fd);
	free(entrance);
	return 0;
}

void entrance_remove_all(struct service *service)
{
	while (service->entrances)
		entrance_remove(service, service->entrances->id);
}

void entrance_start(struct service *service)
{
	struct ev_loop *loop = service->acceptor->loop;
	for (struct entrance *entrance = service->entrances; entrance; entrance = entrance->next) {
		if (entrance->n_senders < ENTRANCE_SENDERS_MAX)
			ev_io_start(loop, &entrance->io);
		for (struct sender *sender = entrance->senders; sender; sender = sender->next)
			ev_io_start(loop, &sender->io);
	}
}

void entrance_stop(struct service *service)
{
	struct ev_loop *loop = service->acceptor->loop;
	for (struct entrance *entrance = service->entrances; entrance; entrance = entrance->next) {
		ev_io_stop(loop, &entrance->io);
		for (struct sender *sender = entrance->senders; sender; sender = sender->next)
			ev_io_stop(loop, &sender->io);
	}
}
