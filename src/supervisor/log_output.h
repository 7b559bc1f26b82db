/*
 * Where the log goes: standard error, syslog, or a file that is opened anew at each reload.
 *
 * Never waits: what a target cannot take at once is dropped and counted, and the count is said when
 * it can take lines again. (Writing to a file on a disk waits for the disk, as everywhere.)
 */
#ifndef FDSUP_SUPERVISOR_LOG_OUTPUT_H
#define FDSUP_SUPERVISOR_LOG_OUTPUT_H

#include "config/config.h"

/*
 * Makes the target of the configuration the sink of base/log. The lines before went to standard
 * error. 0 or -errno with the old target still in force; a log file is never a symbolic link.
 */
int log_output_open(const struct config *config);

/* A file: opens it anew (it was rotated). Others: nothing. 0 or -errno, the old one in force. */
int log_output_reopen(void);

/* From now on errors go to the target alone; until then they are said on standard error as well. */
void log_output_started(void);

void log_output_close(void);

#endif
