/*
 * Lines of the log as people read them: with the time and the level, on a descriptor.
 *
 * Never waits: what the target cannot take at once is dropped and counted, and the count is said
 * before the next line that it takes. (Writing to a file on a disk waits for the disk, as
 * everywhere.)
 */
#ifndef FDSUP_SUPERVISOR_STAMPED_H
#define FDSUP_SUPERVISOR_STAMPED_H

#include <stddef.h>

/* Writes a line to the descriptor; standard error, which may block, is asked for room first. */
void stamped_line(int fd, int level, const char *line, size_t length);

/*
 * Lines that were dropped, if the target still does not take the count of them: why not is an errno, EAGAIN
 * if standard error is not read. 0: it has taken it, or there were none.
 */
unsigned long stamped_retry(int fd, int *ret_error);

/*
 * Between the two, lines are gathered and written a few dozen at once: the writing is most of what it
 * costs to log a busy service. Nothing is kept any more after stamped_flush.
 */
void stamped_gather(void);
void stamped_flush(void);

#endif
