/*
 * One direction of a forwarded connection: from a socket into a pipe, from the pipe into the other
 * socket, never through our memory. Both sockets are non-blocking.
 *
 * The pipe is filled only when it is empty. So "the socket has nothing" and "the pipe is full", for
 * which splice(2) has one error, cannot be mixed up, and a reader that is slow makes its writer
 * wait.
 */
#ifndef FDSUP_REDIRECT_FLOW_H
#define FDSUP_REDIRECT_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redirect/pipes.h"

enum flow_state {
	FLOW_READING, /* waits until its source can be read */
	FLOW_WRITING, /* waits until its destination can be written */
	FLOW_ENDED,   /* the end of the source was passed on */
	FLOW_STUCK,   /* the destination takes no more; its own answer may still come */
	FLOW_RESET,   /* the source was reset, or failed like that */
};

struct flow {
	enum flow_state state;
	struct pipe pipe; /* lent while n_in_pipe is not 0 */
	size_t n_in_pipe;
	uint64_t n_read;
	uint64_t n_written;
};

#define FLOW_INIT                                                                                  \
	{                                                                                          \
		.pipe = { -1, -1 }                                                                 \
	}

/*
 * Moves what can be moved now, but not for ever, and leaves the new state. Returns whether any
 * byte, or the end, was moved.
 */
bool flow_move(struct flow *flow, int from, int to, struct pipes *pipes);

/* Gives up what is under way. */
void flow_fini(struct flow *flow, struct pipes *pipes);

#endif
