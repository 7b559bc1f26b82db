/*
 * The key `after`: in which order services are started and stopped.
 *
 * It is about the order alone. A service that has been started lives by itself: it is not restarted
 * or stopped because one before it is, and it is started also when one before it does not come up.
 */
#ifndef FDSUP_SUPERVISOR_SEQUENCE_H
#define FDSUP_SUPERVISOR_SEQUENCE_H

#include <stdint.h>

struct service;
struct supervisor;

/*
 * The service is wanted, and its listeners are bound: it is started as soon as those before it are
 * ready, which sequence_release finds. Its clients wait in the kernel until then.
 */
void sequence_start(struct service *service);

/* It is not wanted: ended as soon as those that were started after it, and are being stopped, have ended. */
void sequence_stop(struct service *service);

/* All of them. When they are being stopped already: without waiting. */
void sequence_stop_all(struct supervisor *supervisor);

/* Does what can be done now. To be called when a service has changed. */
void sequence_look(struct supervisor *supervisor);

/* Around several starts and stops: which of them come first is looked at when all are known. */
void sequence_hold(struct supervisor *supervisor);
void sequence_release(struct supervisor *supervisor);

/* Whom it waits for before it is started; NULL: it does not wait. */
const struct service *sequence_awaited(const struct service *service);

/* How long a start or stop of the service may have to wait for others, at most. */
uint64_t sequence_longest_ms(const struct service *service);

void sequence_init(struct supervisor *supervisor);
void sequence_fini(struct supervisor *supervisor);

#endif
