/*
 * The command given by hand, found as a shell would find it, once at the start.
 */
#ifndef FDSUP_WORKER_PROGRAM_H
#define FDSUP_WORKER_PROGRAM_H

/*
 * The path of an executable file: the name itself if it has a slash, else found in PATH. To be
 * freed. NULL after having logged what is missing.
 */
char *program_find(const char *name);

#endif
