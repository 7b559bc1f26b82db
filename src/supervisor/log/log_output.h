/*
 * Where the log goes: standard error, syslog, or a file that is opened anew at each reload. Under
 * systemd, whose journal reads standard error, lines go to the journal itself, with fields.
 *
 * Never waits: what a target cannot take at once is dropped and counted, and the count is said when
 * it can take lines again. (Writing to a file on a disk waits for the disk, as everywhere.)
 */
#ifndef FDSUP_SUPERVISOR_LOG_OUTPUT_H
#define FDSUP_SUPERVISOR_LOG_OUTPUT_H

#include "config/config.h"
#include "supervisor/log/journal.h"

/*
 * Makes the target of the configuration the sink of base/log. The lines before went to standard
 * error. 0 or -errno with the old target still in force; a log file is never a symbolic link, and
 * belongs to us or root alone.
 */
int log_output_open(const struct config *config);

/* Why a log file could not be opened, for people. */
const char *log_output_explain(int error);

/* A file: opens it anew (it was rotated). Others: nothing. 0 or -errno, the old one in force. */
int log_output_reopen(void);

/*
 * What is wrong with the target now, and what to do, for people; NULL: it takes lines. What it did not
 * take has been counted, and that is tried once more.
 */
const char *log_output_trouble(void);

/* Whether it goes to standard error as such, which is not so where that is systemd's journal. */
bool log_output_is_stderr(void);

/* From now on errors go to the target alone; until then they are said on standard error as well. */
void log_output_started(void);

/* By which names of services are told from other beginnings of a line; NULL: none is known. */
void log_output_tell_services(journal_knows *knows);

void log_output_close(void);

#endif
