/*
 * What the files of this folder share: the server, its clients, and the calls that wait for an
 * answer.
 *
 * A client has at most one call. A call can outlive its client, and both can outlive the server's
 * interest in them: the pointers between them are NULL from that moment on.
 */
#ifndef FDSUP_ADMIN_CLIENT_H
#define FDSUP_ADMIN_CLIENT_H

#include <stdint.h>

#include "admin/connection.h"
#include "admin/server.h"

enum {
	CLIENTS_MAX = 256,
	CLIENTS_PER_USER_MAX = 64, /* of all but root and ourselves */
	CALLS_MAX = 512,           /* unanswered ones, those whose client has gone included */
	OUTPUT_ALL_MAX = 32 * 1024 * 1024, /* unread bytes of all clients together */
};

struct admin_client {
	struct connection connection; /* first: the events are told by connection */
	struct admin_server *server;
	struct ucred peer;
	struct admin_call *call;
	struct admin_client *previous, *next; /* in server->clients, by their last request */
};

struct admin_call {
	struct admin_server *server; /* NULL: destroyed */
	struct admin_client *client; /* NULL: gone */
	struct ucred peer;
	bool wants_more;
	bool is_oneway;
	void (*on_gone)(void *data); /* NULL: nobody asked to be told */
	void (*on_sent)(void *data); /* the same */
	void *data;
	struct admin_call *previous, *next; /* in server->calls */
};

struct admin_server {
	struct ev_loop *loop;
	const struct admin_interface *interface;
	struct admin_interface service; /* org.varlink.service */
	ev_io listener;
	ev_timer pause; /* of the listener, while descriptors are short */
	struct admin_client *clients;
	size_t n_clients;
	struct admin_call *calls;
	size_t n_calls;
	/* Complaints of the current second: what a client does must not fill the log. */
	uint64_t complaints_since_ms;
	unsigned n_complaints;
	unsigned n_unsaid;
};

/* call.c: reads one request, and lets its verb answer. */
void call_receive(struct admin_client *client, const char *text, size_t length);
/* call.c: one that was read by the program before us. NULL without memory. */
struct admin_call *call_carry_on(
	struct admin_client *client, const struct admin_carried *carried);
/* call.c: all that was answered has been sent. NULL: nobody waits for that. */
void call_continue(struct admin_call *call);
/* call.c: the client has gone; its call answers into the void. */
void call_abandon(struct admin_client *client);

/* peer.c: what this client may do now. */
enum admin_role peer_role(const struct admin_client *client);
const char *role_name(enum admin_role role);

/* service.c: fills in server->service. */
void service_init(struct admin_server *server);

/*
 * server.c: so many bytes more are to be sent to the writer. If all clients together leave too much
 * unread, those with the most are ended.
 */
void server_bound_output(struct admin_server *server, struct admin_client *writer, size_t more);
/* server.c: a client without its connection. NULL: the descriptor was closed. */
struct admin_client *server_take_client(struct admin_server *server, int fd);
extern const struct connection_events server_connection_events;

/* server.c: a log line about a client, unless there were many in this second. */
void server_complain(struct admin_server *server, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
