/*
 * One client as a stream of bytes: requests cut at NUL bytes on the way in, answers on the way out.
 * It knows no JSON and no method.
 *
 * Requests are handed on one at a time: the next is looked at when the answer to the one before has
 * been sent. That keeps the order of pipelined requests, and bounds what a client can make us
 * remember to one request and one answer; what else it sends waits in its own socket.
 *
 * Nothing here calls back from within connection_send, connection_fail or connection_answered: a
 * connection ends in the event loop only, never under the feet of a caller.
 */
#ifndef FDSUP_ADMIN_CONNECTION_H
#define FDSUP_ADMIN_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <ev.h>

enum {
	CONNECTION_REQUEST_MAX = 64 * 1024,
	CONNECTION_OUTPUT_MAX = 8 * 1024 * 1024,
	CONNECTION_PATIENCE_S = 5, /* in which all output must have been read */
};

/* The bytes between start and end are in use. */
struct connection_buffer {
	char *bytes;
	size_t start, end, size;
};

struct connection;

struct connection_events {
	/* A request without its NUL; leads to connection_answered or connection_fail, some time. */
	void (*on_request)(struct connection *connection, const char *text, size_t length);
	/* All output has been sent, just now. */
	void (*on_sent)(struct connection *connection);
	/* All is closed; the owner frees the connection. `reason` NULL: the client just left. */
	void (*on_end)(struct connection *connection, const char *reason);
};

struct connection {
	const struct connection_events *events;
	struct ev_loop *loop;
	ev_io io;
	ev_timer patience;
	ev_timer wake; /* goes on in the loop with what needs no I/O */
	ev_timer hangup; /* looks whether one that sends nothing more is still there */
	struct connection_buffer input, output;
	size_t n_scanned;    /* bytes of the input known to hold no NUL */
	const char *failure; /* set: to be ended for this reason */
	bool is_answering;
	bool is_last;        /* to be closed when the output has been sent */
	bool has_ended_input;
};

/* Takes the descriptor, which must be non-blocking. */
void connection_init(struct connection *connection, struct ev_loop *loop, int fd,
	const struct connection_events *events);

/* One of before: what it has sent and not been answered, what it has not read, and whether it waits. */
void connection_carry_on(struct connection *connection, const char *input, size_t n_input,
	const char *output, size_t n_output, bool is_answering);

/* Closes at once, without calling on_end. */
void connection_fini(struct connection *connection);

/* Queues bytes. A connection that cannot take them fails by itself. */
void connection_send(struct connection *connection, const char *bytes, size_t length);

/* The answer to the last request is complete. */
void connection_answered(struct connection *connection);

/* Ends the connection, unread output and all. `reason` must be static. */
void connection_fail(struct connection *connection, const char *reason);

/* Ends the connection once all output has been read. */
void connection_finish(struct connection *connection);

/* Neither answering nor sending: nothing is lost by closing it. */
bool connection_is_idle(const struct connection *connection);

size_t connection_unsent(const struct connection *connection);

#endif
