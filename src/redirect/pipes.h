/*
 * Pipes for splice(2), lent for as long as bytes are in them: an idle connection has none.
 *
 * Their number is bounded, so that they never take the descriptors that connections need. Whoever
 * gets none copies instead.
 */
#ifndef FDSUP_REDIRECT_PIPES_H
#define FDSUP_REDIRECT_PIPES_H

#include <stddef.h>

/* What a pipe holds by default: pipe(7). */
enum { PIPE_SIZE = 65536 };

/*
 * The kernel gives the processes of an ordinary user this many pipes of that size
 * (pipe-user-pages-soft); further ones would hold a page.
 */
enum { PIPES_MAX = 1024, PIPES_SPARE = 32 };

struct pipe {
	int out; /* -1: none */
	int in;
};

#define PIPE_NONE ((struct pipe){ -1, -1 })

struct pipes {
	struct pipe spare[PIPES_SPARE];
	size_t n_spare;
	size_t n; /* that exist */
	size_t max;
};

/* They may take a quarter of the descriptors that this process may have. */
void pipes_init(struct pipes *pipes, unsigned long nofile);
void pipes_fini(struct pipes *pipes);

/* PIPE_NONE if there is none. */
struct pipe pipes_borrow(struct pipes *pipes);

/* An empty one: the next borrower gets it. */
void pipes_give_back(struct pipes *pipes, struct pipe *pipe);

/* One with bytes in it that nobody will read. */
void pipes_discard(struct pipes *pipes, struct pipe *pipe);

#endif
