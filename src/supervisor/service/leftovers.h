/*
 * What a program of type listen leaves behind when it dies: processes that it started, and that have its
 * listening sockets, would go on accepting beside its successor, unseen. They are asked to end, and
 * killed when they do not. Those that have only a connection may finish it.
 */
#ifndef FDSUP_SUPERVISOR_LEFTOVERS_H
#define FDSUP_SUPERVISOR_LEFTOVERS_H

#include <sys/types.h>

struct service;

/* The worker with this pid, which led a session of its own, has ended. */
void leftovers_end(struct service *service, pid_t gone);

/* Forgets them: the service ends, and all of its processes with it. */
void leftovers_forget(struct service *service);

#endif
