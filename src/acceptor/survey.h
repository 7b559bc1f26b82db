/*
 * All living TCP connections of the host, one after the other, to whoever wants to see them: a dump
 * of sock_diag(7), read a piece in each turn of the loop, so that accepting goes on beside it. Who
 * comes while one is under way is served by the next.
 */
#ifndef FDSUP_ACCEPTOR_SURVEY_H
#define FDSUP_ACCEPTOR_SURVEY_H

#include <ev.h>
#include <stdbool.h>

#include "acceptor/diag.h"

/* Part of what its owner has; between survey_join and on_end it must stay where it is. */
struct survey_visitor {
	struct survey_visitor *next;
	diag_listener *on_connection;
	void (*on_end)(void *context, int error); /* 0, or -errno: not all have been seen */
	void *context;
};

struct survey {
	struct ev_loop *loop;
	ev_io io;                       /* its descriptor: the socket for questions; -1: none */
	struct survey_visitor *current; /* who sees the one under way */
	struct survey_visitor *waiting;
	int family;                     /* of the one under way; 0: none is */
	bool is_ending;                 /* on_end is being called */
};

/* 0, or -errno: the kernel does not answer, and all who join are told so at once. */
int survey_open(struct survey *survey, struct ev_loop *loop);

/* Nobody is called any more. */
void survey_close(struct survey *survey);

void survey_join(struct survey *survey, struct survey_visitor *visitor);

#endif
