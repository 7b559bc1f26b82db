/*
 * Ending the workers of a pool that are too many: those that have nothing to do, as the list of the
 * connections tells, and of these the newest. One that serves somebody may be a program that does not
 * know how to finish what it has.
 */
#ifndef FDSUP_SUPERVISOR_SERVICE_SURPLUS_H
#define FDSUP_SUPERVISOR_SERVICE_SURPLUS_H

#include <stdint.h>

struct service;

/* Soon, and as many of n as are too many then. */
void surplus_end(struct service *service, uint32_t n);

/* Not after all. */
void surplus_forget(struct service *service);

#endif
