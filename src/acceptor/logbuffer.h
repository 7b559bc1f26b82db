/*
 * Log lines on their way to the supervisor: gathered, and written once a turn of the loop, without
 * ever waiting. A supervisor that does not read costs lines, never connections: beyond a bound they
 * are dropped and counted, and the number is logged when the pipe flows again.
 */
#ifndef FDSUP_ACCEPTOR_LOGBUFFER_H
#define FDSUP_ACCEPTOR_LOGBUFFER_H

#include <stdbool.h>
#include <stddef.h>

enum { LOGBUFFER_SIZE = 64 * 1024 };

/* Makes the buffer the sink of base/log.h. A pipe becomes non-blocking: it must be ours alone. */
void logbuffer_open(int fd);

/* Writes what the target takes. */
void logbuffer_flush(void);

/* True after a flush that left something: flush again when the target is writable. */
bool logbuffer_is_stuck(void);

#endif
