/*
 * What long-lived programs tell of themselves: READY=1, STATUS=, WATCHDOG=1, one datagram of text to
 * NOTIFY_SOCKET, as sd_notify(3) defines it.
 *
 * Only the main process of a worker is heard: the kernel says who sent a datagram (SCM_CREDENTIALS).
 */
#ifndef FDSUP_SUPERVISOR_READINESS_H
#define FDSUP_SUPERVISOR_READINESS_H

#include <sys/types.h>

struct supervisor;

/* Binds "notify.sock" in the runtime directory and listens. 0 or -errno, which was logged. */
int readiness_open(struct supervisor *supervisor);

/* The same with the socket of before, which it takes. */
int readiness_resume(struct supervisor *supervisor, int fd);

/* -1: there is none. */
int readiness_fd(const struct supervisor *supervisor);

/* What the process told while nobody listened. */
void readiness_hear(struct supervisor *supervisor, pid_t pid, const char *text);

void readiness_close(struct supervisor *supervisor);

/* The path for NOTIFY_SOCKET, which stays; NULL if it could not be made. */
const char *readiness_path(const struct supervisor *supervisor);

#endif
