/*
 * Processes by their ids.
 */
#ifndef FDSUP_BASE_PID_H
#define FDSUP_BASE_PID_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Whether nobody has this id any more: the process has ended, and its parent knows. False for what is no
 * id of a process (0 and below), and for a living one of another user.
 */
bool pid_is_gone(pid_t pid);

#endif
