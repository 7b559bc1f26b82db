/*
 * The process of a worker as it is started: its descriptors, as whom it runs, and what is kept from it.
 */
#ifndef FDSUP_SUPERVISOR_WORKER_SPAWN_H
#define FDSUP_SUPERVISOR_WORKER_SPAWN_H

#include <sys/types.h>

struct command_line;
struct service;

/*
 * The process, or -errno with what failed in *ret_step. ready_fd: where it announces that it is ready;
 * -1: not so.
 */
pid_t worker_spawn(struct service *service, const struct command_line *line, int ready_fd,
	const char **ret_step);

#endif
