/*
 * From a list of addresses to one connected socket.
 *
 * The addresses are tried in their order: the next one at once when one refuses, and beside it when
 * it has not answered for DIAL_STAGGER_MS (RFC 8305). The first that answers wins. What the machine
 * lacks for a moment (descriptors, room in a Unix socket's backlog) is waited for. It goes on until
 * every address has failed; a deadline is the caller's to keep.
 */
#ifndef FDSUP_REDIRECT_DIAL_H
#define FDSUP_REDIRECT_DIAL_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "redirect/address.h"

enum { DIAL_STAGGER_MS = 250, DIAL_RETRY_MS = 50 };

struct dial_attempt {
	ev_io io;
	int fd; /* owned while it runs, else -1 */
	size_t address;
};

struct dial {
	struct ev_loop *loop;
	/*
	 * Called once, from the loop: a connected non-blocking socket, now the owner's; or -errno
	 * of the last failure. The dial may be freed in it.
	 */
	void (*on_done)(struct dial *dial, int result);
	void *data;
	struct addresses addresses;
	struct dial_attempt attempts[ADDRESSES_MAX];
	size_t n_begun;
	size_t n_open;
	ev_timer next;
	int error;     /* of the last failure, negative; 0: none yet */
	size_t failed; /* the address of that */
	bool is_short; /* the machine lacks something: error says what */
};

/* The addresses are copied; there is at least one. */
void dial_start(struct dial *dial, struct ev_loop *loop, const struct addresses *addresses,
	void (*on_done)(struct dial *dial, int result), void *data);

/* Gives up, without a call back. Does nothing once it is done. */
void dial_stop(struct dial *dial);

#endif
