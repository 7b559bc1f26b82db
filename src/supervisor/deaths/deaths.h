/*
 * What the death of a worker means for its service: what is remembered and logged of it, and which
 * event it is. The decisions are those of policy/backoff.h.
 */
#ifndef FDSUP_SUPERVISOR_DEATHS_H
#define FDSUP_SUPERVISOR_DEATHS_H

#include "supervisor/service/service.h"

/* A worker could not even be started: the step that failed, and the errno. */
void deaths_on_failed_start(struct service *service, const char *step, int error);

/* Its workers take nothing: judges that as one death, of all of them, and has them ended. */
void deaths_on_hung(struct service *service);

/* Which event that is, now that they are gone. */
enum service_event deaths_verdict_on_hung(struct service *service);

/* The process of a worker is gone. Frees the worker. */
void deaths_on_worker_exit(struct service *service, struct worker *worker, int pid, int status);

#endif
