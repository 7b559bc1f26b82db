/*
 * The pipe on which a worker announces that it is ready (ready = "fd"). It is read until the newline
 * or the end, and closed then, or when the worker is told to end.
 */
#ifndef FDSUP_SUPERVISOR_READY_PIPE_H
#define FDSUP_SUPERVISOR_READY_PIPE_H

#include <jansson.h>

struct ready_pipe;
struct state_fds;
struct worker;

/*
 * Makes the pipe of a worker that is about to be started and reads from it; the program's end is in
 * *ret_write_fd, the caller's. NULL and errno.
 */
struct ready_pipe *ready_pipe_open(struct worker *worker, int *ret_write_fd);

/* For the program that takes our place, and back; it is read from after ready_pipe_resume. */
json_t *ready_pipe_save(const struct ready_pipe *pipe, struct state_fds *fds);
struct ready_pipe *ready_pipe_restore(
	struct worker *worker, const json_t *json, struct state_fds *fds);
void ready_pipe_resume(struct ready_pipe *pipe);

/* NULL: nothing is done. */
void ready_pipe_close(struct ready_pipe *pipe);

#endif
