/*
 * What a process has in memory, as /proc tells it.
 */
#ifndef FDSUP_PROCESS_MEMORY_H
#define FDSUP_PROCESS_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

/* Its resident set. 0 or -errno. */
int memory_resident(pid_t pid, uint64_t *ret_bytes);

#endif
