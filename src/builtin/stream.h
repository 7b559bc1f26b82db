/*
 * One TCP connection of a small service.
 *
 * A connection costs its struct and its socket: what is received goes out again at once or is
 * thrown away, and only an echo whose client does not read keeps what it could not send, at most
 * one buffer, and reads no more until that is gone.
 */
#ifndef FDSUP_BUILTIN_STREAM_H
#define FDSUP_BUILTIN_STREAM_H

#include "builtin/builtin.h"

struct stream {
	struct taken taken; /* first: the taker lists streams by it */
	struct builtin *builtin;
	int fd; /* owned */
	ev_io io;
	ev_timer deadline;
	uint64_t active_ms;
	uint64_t n_in;
	uint64_t n_out;
	char *kept; /* of an echo, owned; NULL: nothing */
	size_t kept_first;
	size_t kept_n;
	unsigned chargen_position;
	bool is_ended_by_client;
	bool is_answered; /* all is said: only the client's end is waited for */
};

/* Takes the connection, and memory for it, all zeros, from malloc(3). */
void stream_start(
	struct stream *stream, struct builtin *builtin, const struct handoff *record, int fd);

/* Ends it now. */
void stream_end(struct stream *stream, int status);

#endif
