#include "redirect/pipes.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

void pipes_init(struct pipes *pipes, unsigned long nofile)
{
	unsigned long max = nofile / 4 / 2;
	*pipes = (struct pipes){ .max = max < PIPES_MAX ? max : PIPES_MAX };
}

static void close_pipe(struct pipes *pipes, struct pipe *pipe)
{
	fd_close(&pipe->out);
	fd_close(&pipe->in);
	pipes->n--;
}

void pipes_fini(struct pipes *pipes)
{
	while (pipes->n_spare > 0)
		close_pipe(pipes, &pipes->spare[--pipes->n_spare]);
}

struct pipe pipes_borrow(struct pipes *pipes)
{
	int ends[2];
	if (pipes->n_spare > 0)
		return pipes->spare[--pipes->n_spare];
	if (pipes->n >= pipes->max || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return PIPE_NONE;
	pipes->n++;
	return (struct pipe){ .out = ends[0], .in = ends[1] };
}

void pipes_give_back(struct pipes *pipes, struct pipe *pipe)
{
	if (pipe->out < 0)
		return;
	if (pipes->n_spare < PIPES_SPARE)
		pipes->spare[pipes->n_spare++] = *pipe;
	else
		close_pipe(pipes, pipe);
	*pipe = PIPE_NONE;
}

void pipes_discard(struct pipes *pipes, struct pipe *pipe)
{
	if (pipe->out >= 0)
		close_pipe(pipes, pipe);
}
