/*
 * Whether another process has one of certain files open.
 */
#ifndef FDSUP_PROCESS_HOLDING_H
#define FDSUP_PROCESS_HOLDING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* By /proc. False as well when that may not be seen. `inodes`: of sockets. */
bool process_holds_socket(pid_t pid, const ino_t inodes[], size_t n);

#endif
