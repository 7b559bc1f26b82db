#include "acceptor/accepting.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "acceptor/acceptor.h"
#include "acceptor/delivery.h"
#include "acceptor/following.h"
#include "acceptor/losses.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

/* Accepted in one turn of the loop by one listener. */
enum { ACCEPT_BATCH = 16 };

struct listener {
	struct listener *next; /* of the service */
	ev_io io; /* owns its descriptor; its data is the service */
	uint32_t id;
	bool is_wildcard; /* then each connection has to be asked for its local address */
	bool is_broken;
	struct endpoint local;
};

static struct service *service_of(const struct listener *listener)
{
	return listener->io.data;
}

static struct listener *listener_of(ev_io *io)
{
	return (struct listener *)((char *)io - offsetof(struct listener, io));
}

static bool is_wildcard(const struct endpoint *end)
{
	static const uint8_t any[16];
	if (end->family != AF_INET && end->family != AF_INET6)
		return false;
	return !memcmp(end->ip, any, end->family == AF_INET ? 4 : 16);
}

/* Errors of the one connection that accept(2) tells instead of the connection itself. */
static bool is_passing(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case EPERM:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
		return true;
	}
	return false;
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
	       error == ENOSPC;
}

/* True to go on with the next. */
static bool accept_failed(struct listener *listener, int error)
{
	struct acceptor *acceptor = service_of(listener)->acceptor;
	if (error == EAGAIN)
		return false;
	if (is_passing(error))
		return true;
	if (is_shortage(error)) {
		acceptor_rest(acceptor, error);
		return false;
	}
	char text[ENDPOINT_TEXT_SIZE];
	log_error("%s: listener %s: cannot accept: %s; this listener is left alone until it is "
		  "replaced",
		service_name(service_of(listener)), endpoint_format_local(text, &listener->local),
		strerror(error));
	listener->is_broken = true;
	ev_io_stop(acceptor->loop, &listener->io);
	return false;
}

/* 0 or -errno. */
static int accept_one(struct listener *listener, uint64_t now_ns)
{
	struct service *service = service_of(listener);
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	int r = ledger_reserve(&service->acceptor->ledger);
	if (r < 0)
		return r;
	/* Never SOCK_NONBLOCK: the flag would travel with the connection. */
	int connection =
		accept4(listener->io.fd, (struct sockaddr *)&address, &length, SOCK_CLOEXEC);
	if (connection < 0)
		return -errno;
	struct ledger_entry like = {
		.id = acceptor_connection_id(service->acceptor, connection),
		.accepted_ns = now_ns,
		.peer = listener->local.family == AF_UNIX
				? endpoint_of_unix_peer(connection)
				: endpoint_from_sockaddr((struct sockaddr *)&address),
		.local = listener->is_wildcard ? endpoint_of_own_end(connection) : listener->local,
		.service = service->number,
	};
	service_trace(service, connection, &like, ESTATE_ARRIVED);
	delivery_accept(service, connection, &like, now_ns);
	return 0;
}

/* Clients whose connections we keep copies of wait for us, not for a worker alone. */
static void keep_pace(struct service *service)
{
	bool is_awaited = !service_has_queue(service) || service->traffic->copies->n_kept;
	pace_note(&service->acceptor->pace, is_awaited ? 0 : losses_n_inside(service));
}

static void on_acceptable(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	struct listener *listener = listener_of(io);
	struct service *service = service_of(listener);
	struct acceptor *acceptor = service->acceptor;
	/* Ends that are known but not read yet matter only to who may be kept out for them. */
	if (!admission_has_room(&service->admission, ACCEPT_BATCH))
		following_catch_up(acceptor);
	uint64_t now_ns = clock_now_ns();
	traces_take_for(acceptor->guard.traces, service->number, service->estate_name);
	for (int i = 0; i < ACCEPT_BATCH && service_may_accept(service, now_ns); i++) {
		int r = accept_one(listener, now_ns);
		if (r < 0 && !accept_failed(listener, -r))
			break;
		now_ns = clock_now_ns();
	}
	service_settle(service, now_ns);
	keep_pace(service);
}

static struct listener **find(struct service *service, uint32_t id)
{
	struct listener **link = &service->listeners;
	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

int accepting_add(struct service *service, uint32_t id, int fd_given)
{
	fd_auto int fd = fd_given;
	int is_listening = 0;
	socklen_t length = sizeof is_listening;
	struct listener **link = find(service, id);
	if (*link)
		return -EEXIST;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) < 0 || !is_listening)
		return -EINVAL;
	struct listener *listener = calloc(1, sizeof *listener);
	if (!listener)
		return -ENOMEM;
	listener->id = id;
	listener->local = endpoint_of_own_end(fd);
	listener->is_wildcard = is_wildcard(&listener->local);
	ev_io_init(&listener->io, on_acceptable, fd_take(&fd), EV_READ);
	listener->io.data = service;
	*link = listener;
	if (!service->paused)
		ev_io_start(service->acceptor->loop, &listener->io);
	return 0;
}

int accepting_remove(struct service *service, uint32_t id)
{
	struct listener **link = find(service, id);
	struct listener *listener = *link;
	if (!listener)
		return -ENOENT;
	*link = listener->next;
	ev_io_stop(service->acceptor->loop, &listener->io);
	fd_close(&listener->io.fd);
	free(listener);
	return 0;
}

void accepting_remove_all(struct service *service)
{
	while (service->listeners)
		accepting_remove(service, service->listeners->id);
}

void accepting_start(struct service *service)
{
	for (struct listener *listener = service->listeners; listener; listener = listener->next)
		if (!listener->is_broken)
			ev_io_start(service->acceptor->loop, &listener->io);
}

void accepting_stop(struct service *service)
{
	for (struct listener *listener = service->listeners; listener; listener = listener->next)
		ev_io_stop(service->acceptor->loop, &listener->io);
}

bool accepting_has_address(const struct service *service, const struct endpoint *local)
{
	for (const struct listener *listener = service->listeners; listener;
		listener = listener->next)
		if (listener->local.port == local->port && listener->local.family != AF_UNIX &&
			(listener->is_wildcard ||
				!memcmp(listener->local.ip, local->ip, sizeof local->ip)))
			return true;
	return false;
}

bool accepting_is_followed(const struct service *service)
{
	const struct listener *listener = service->listeners;
	while (listener && listener->local.family != AF_UNIX)
		listener = listener->next;
	return service->listeners && !listener && !service->entrances;
}

bool accepting_has_waiting(const struct service *service)
{
	for (const struct listener *listener = service->listeners; listener;
		listener = listener->next) {
		struct pollfd polled = { .fd = listener->io.fd, .events = POLLIN };
		if (poll(&polled, 1, 0) == 1)
			return true;
	}
	return false;
}
