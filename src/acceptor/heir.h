/*
 * Takes over what an acceptor before this one has left (wire/estate.h): what was still in its hands
 * goes the way that it would have gone there, and copies are kept on.
 *
 * It is gathered until its end has come, since the order of the queue matters; or for a second, if it
 * never does. Meanwhile this one accepts already, and judges nobody's death where a copy may still come.
 */
#ifndef FDSUP_ACCEPTOR_HEIR_H
#define FDSUP_ACCEPTOR_HEIR_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct acceptor;
struct legacy;

struct heir {
	ev_io in;       /* owns its descriptor; -1: nothing can come */
	ev_timer timer; /* the end of patience */
	struct legacy *items;
	uint32_t n, room;
	bool is_settled;
	bool has_dropped; /* some of what was left was not to be used */
};

void heir_init(struct acceptor *acceptor);
void heir_close(struct acceptor *acceptor);

/*
 * All services that an acceptor before us had are known now: takes the descriptor by which it comes to us;
 * -1: nothing can come.
 */
void heir_open(struct acceptor *acceptor, int in_fd);

/* This acceptor ends: its descriptor goes to whoever leaves what there is. */
void heir_give_way(struct acceptor *acceptor);

static inline bool heir_is_waiting(const struct heir *heir)
{
	return !heir->is_settled;
}

#endif
