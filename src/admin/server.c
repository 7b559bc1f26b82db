/*
 * The listening socket, the clients on it, and the limits on both: how many connections there may be
 * in all and of one user. Where one must go, it is the one that has asked for nothing the longest.
 */
#include "admin/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

enum {
	ACCEPTS_AT_ONCE = 16, /* the loop has other things to do as well */
	COMPLAINTS_PER_SECOND = 5,
};
static const double PAUSE_S = 1;

void server_complain(struct admin_server *server, const char *format, ...)
{
	uint64_t now_ms = clock_now_ms();
	if (now_ms - server->complaints_since_ms >= 1000) {
		if (server->n_unsaid)
			log_notice("admin: %u more complaints like these were not logged",
				server->n_unsaid);
		server->complaints_since_ms = now_ms;
		server->n_complaints = server->n_unsaid = 0;
	}
	if (server->n_complaints++ >= COMPLAINTS_PER_SECOND) {
		server->n_unsaid++;
		return;
	}
	char line[512];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	log_notice("%s", line);
}

static void client_unlink(struct admin_client *client)
{
	struct admin_server *server = client->server;
	if (client->previous)
		client->previous->next = client->next;
	else
		server->clients = client->next;
	if (client->next)
		client->next->previous = client->previous;
	client->previous = client->next = NULL;
}

/* To the front: the one that asked last. */
static void client_link(struct admin_client *client)
{
	struct admin_server *server = client->server;
	client->next = server->clients;
	if (server->clients)
		server->clients->previous = client;
	server->clients = client;
}

static void client_free(struct admin_client *client)
{
	call_abandon(client);
	client_unlink(client);
	client->server->n_clients--;
	free(client);
}

static void on_request(struct connection *connection, const char *text, size_t length)
{
	struct admin_client *client = (struct admin_client *)connection;
	client_unlink(client);
	client_link(client);
	call_receive(client, text, length);
}

static void on_end(struct connection *connection, const char *reason)
{
	struct admin_client *client = (struct admin_client *)connection;
	if (reason)
		server_complain(client->server, "admin: uid %u pid %d %s; connection closed",
			client->peer.uid, client->peer.pid, reason);
	client_free(client);
}

static void on_sent(struct connection *connection)
{
	call_continue(((struct admin_client *)connection)->call);
}

const struct connection_events server_connection_events = { on_request, on_sent, on_end };

static bool is_unlimited(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

/*
 * The client to close so that one more of this user fits: the one that has been idle longest. An
 * administrator gets in even where all of the others are busy. NULL: nobody.
 */
static struct admin_client *find_victim(struct admin_server *server, uid_t uid, bool same_user)
{
	struct admin_client *idle = NULL, *busy = NULL;
	for (struct admin_client *client = server->clients; client; client = client->next) {
		if (same_user && client->peer.uid != uid)
			continue;
		if (connection_is_idle(&client->connection))
			idle = client;
		else if (!is_unlimited(client->peer.uid))
			busy = client;
	}
	return idle || !is_unlimited(uid) ? idle : busy;
}

static size_t count_clients_of(const struct admin_server *server, uid_t uid)
{
	size_t n = 0;
	for (const struct admin_client *client = server->clients; client; client = client->next)
		n += client->peer.uid == uid;
	return n;
}

static bool make_room(struct admin_server *server, const struct ucred *peer)
{
	bool is_user_full = !is_unlimited(peer->uid) &&
			    count_clients_of(server, peer->uid) >= CLIENTS_PER_USER_MAX;
	if (!is_user_full && server->n_clients < CLIENTS_MAX)
		return true;
	struct admin_client *victim = find_victim(server, peer->uid, is_user_full);
	server_complain(server, "admin: too many connections%s; %s",
		is_user_full ? " of one user" : "",
		victim ? "the one idle longest is closed" : "a new one is refused");
	if (!victim)
		return false;
	connection_fini(&victim->connection);
	client_free(victim);
	return true;
}

struct admin_client *server_take_client(struct admin_server *server, int accepted)
{
	fd_auto int fd = accepted;
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || !make_room(server, &peer))
		return NULL;
	struct admin_client *client = calloc(1, sizeof *client);
	if (!client)
		return NULL;
	client->server = server;
	client->peer = peer;
	client_link(client);
	server->n_clients++;
	fd_take(&fd);
	return client;
}

static void server_add_client(struct admin_server *server, int fd)
{
	struct admin_client *client = server_take_client(server, fd);
	if (client)
		connection_init(
			&client->connection, server->loop, fd, &server_connection_events);
}

void server_bound_output(struct admin_server *server, struct admin_client *writer, size_t more)
{
	for (;;) {
		struct admin_client *most = NULL;
		size_t all = more;
		for (struct admin_client *client = server->clients; client; client = client->next) {
			size_t unsent = connection_unsent(&client->connection);
			all += unsent;
			if (client != writer && unsent &&
				(!most || unsent > connection_unsent(&most->connection)))
				most = client;
		}
		if (all <= OUTPUT_ALL_MAX || !most)
			return;
		connection_fail(&most->connection, "leaves the most unread, and all together leave more "
						   "than 32 MiB");
	}
}

/* A passing shortage: accepting at once again would only spin. */
static void server_pause(struct admin_server *server, int error)
{
	server_complain(server, "admin: cannot accept: %s; trying again in 1 s", strerror(error));
	ev_io_stop(server->loop, &server->listener);
	ev_timer_set(&server->pause, PAUSE_S, 0);
	ev_timer_start(server->loop, &server->pause);
}

static void on_connection(struct ev_loop *loop, ev_io *listener, int events)
{
	(void)loop, (void)events;
	struct admin_server *server = listener->data;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			server_add_client(server, fd);
		} else if (errno != EINTR && errno != ECONNABORTED) {
			if (errno != EAGAIN)
				server_pause(server, errno);
			return;
		}
	}
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)events;
	struct admin_server *server = timer->data;
	ev_io_start(loop, &server->listener);
}

struct admin_server *admin_server_create(
	struct ev_loop *loop, int listen_fd, const struct admin_interface *interface)
{
	struct admin_server *server = calloc(1, sizeof *server);
	if (!server)
		return NULL;
	server->loop = loop;
	server->interface = interface;
	service_init(server);
	ev_io_init(&server->listener, on_connection, listen_fd, EV_READ);
	ev_timer_init(&server->pause, on_pause_over, PAUSE_S, 0);
	server->listener.data = server->pause.data = server;
	ev_io_start(loop, &server->listener);
	return server;
}

int admin_server_fd(const struct admin_server *server)
{
	return server->listener.fd;
}

void admin_server_destroy(struct admin_server *server)
{
	if (!server)
		return;
	while (server->clients) {
		struct admin_client *client = server->clients;
		connection_fini(&client->connection);
		client_free(client);
	}
	for (struct admin_call *call = server->calls; call; call = call->next)
		call->server = NULL;
	ev_io_stop(server->loop, &server->listener);
	ev_timer_stop(server->loop, &server->pause);
	close(server->listener.fd);
	free(server);
}
