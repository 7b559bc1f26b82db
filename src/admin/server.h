/*
 * The admin socket: who may speak on it, and what a message looks like. What the verbs mean is
 * known only to the table that the supervisor gives.
 *
 * The language is Varlink (https://varlink.org): JSON objects ended by a NUL byte. Everything that
 * comes in is hostile until proven otherwise; a bad message ends its connection and nothing else,
 * a client that does not read is dropped after 5 s, and no client can make the server wait.
 */
#ifndef FDSUP_ADMIN_SERVER_H
#define FDSUP_ADMIN_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <ev.h>
#include <jansson.h>

#include "admin/json_text.h"

enum admin_role { ADMIN_ROLE_NONE, ADMIN_ROLE_STATUS, ADMIN_ROLE_CONTROL };

struct admin_server;
struct admin_call;

/* One method: a row of the verb table. `method` without the interface: "Status". */
struct admin_verb {
	const char *method;
	enum admin_role needs;
	/*
	 * Answers now or later, exactly once, with admin_reply or admin_error. `parameters` is an
	 * object, borrowed for the time of the call.
	 */
	void (*handle)(void *context, struct admin_call *call, const json_t *parameters);
};

struct admin_interface {
	const char *name;        /* "org.fdsup" */
	const char *description; /* the text that GetInterfaceDescription returns */
	const struct admin_verb *verbs;
	size_t n_verbs;
	const char *vendor, *product, *version, *url; /* GetInfo */
	/*
	 * Asked at each call, with the group of the peer and then, while that gives less than
	 * control, with each of its supplementary groups in its place: the highest role counts.
	 */
	enum admin_role (*role_of)(void *context, const struct ucred *peer);
	void *context; /* for role_of and the verbs */
};

/* Takes the listening socket (non-blocking). NULL without memory. The interface must outlive it. */
struct admin_server *admin_server_create(
	struct ev_loop *loop, int listen_fd, const struct admin_interface *interface);

/* A client as it is carried over to another program; `call` NULL: it waits for no answer. */
struct admin_carried {
	int fd;
	const char *input; /* not yet looked at */
	size_t n_input;
	const char *output; /* not yet sent */
	size_t n_output;
	struct admin_call *call;
	bool wants_more, is_oneway; /* the call */
};

void admin_server_each(struct admin_server *server,
	void (*visit)(void *context, const struct admin_carried *carried), void *context);

/*
 * Goes on with a client of before: takes the descriptor, copies the rest. With has_call, its call is
 * open, and *ret_call is to be answered. 0 or -ENOMEM, then the descriptor is closed.
 */
int admin_server_carry_on(struct admin_server *server, const struct admin_carried *carried,
	bool has_call, struct admin_call **ret_call);

/* The listening socket, which stays the server's. */
int admin_server_fd(const struct admin_server *server);

/* Ends all connections. Calls that are still unanswered stay valid and answer into the void. */
void admin_server_destroy(struct admin_server *server);

/* Takes `parameters` (an object; NULL for an empty one). Frees the call. */
void admin_reply(struct admin_call *call, json_t *parameters);

/*
 * For a call with "more": one answer of several, the call stays open. Takes `parameters`. Returns false
 * when the client has gone, or leaves more unread than a stream should keep for it.
 */
bool admin_reply_more(struct admin_call *call, json_t *parameters);
bool admin_call_wants_more(const struct admin_call *call);

/*
 * The same with parameters that are written already: an object, which stays the caller's. False: the client
 * wants one answer, or none.
 */
void admin_reply_text(struct admin_call *call, const struct json_text *parameters);
bool admin_reply_more_text(struct admin_call *call, const struct json_text *parameters);

/*
 * Bytes of earlier answers that the client has not yet read. Who sends by himself looks here first: a
 * client that is behind is left out until this is 0 again, or until it is dropped for not reading.
 */
size_t admin_call_unsent(const struct admin_call *call);

/* Above this many, a stream leaves its client out. */
enum { ADMIN_STREAM_UNSENT_MAX = 256 * 1024 };

/*
 * Tells when the client has gone before its answer. The call must then be ended by admin_reply or
 * admin_error, perhaps from within.
 */
void admin_call_on_gone(struct admin_call *call, void (*on_gone)(void *data), void *data);

/*
 * Tells, with the same data, each time when all that was answered has been sent: the moment for the next
 * piece of a long answer. The call may be ended from within.
 */
void admin_call_on_sent(struct admin_call *call, void (*on_sent)(void *data));

/*
 * `error` is a full name ("org.fdsup.UnknownService"), or one of "InvalidParameter",
 * "MethodNotImplemented" of org.varlink.service. Takes `parameters`. Frees the call.
 */
void admin_error(struct admin_call *call, const char *error, json_t *parameters);

/* Who asks, for the log. */
const struct ucred *admin_call_peer(const struct admin_call *call);

#endif
