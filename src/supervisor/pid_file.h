/*
 * The file that --pid-file asks for, for init scripts. The lock is another one: runtime_dir.h.
 */
#ifndef FDSUP_SUPERVISOR_PID_FILE_H
#define FDSUP_SUPERVISOR_PID_FILE_H

/*
 * Replaces the file, following no link. NULL: nothing to do. 0 or -errno, which was logged. The path
 * must stay.
 */
int pid_file_write(const char *path);

/* Removes what was written. */
void pid_file_remove(void);

/* It was written by the program whose place we took: it is to be removed at the end. */
void pid_file_keep(const char *path);

#endif
