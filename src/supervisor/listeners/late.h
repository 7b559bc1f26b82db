/*
 * Addresses and interfaces that are not there when a service starts: a tunnel, a second network card,
 * IPv6 before its address is known to be free; or that another program holds when fdsup starts. The
 * service runs with those that it can have, says what it misses, and gets the others when they appear or
 * are free.
 *
 * The kernel announces what appears (rtnetlink(7)); what it does not announce, or where it may not be
 * listened to, is tried again from time to time. While nothing is missing nothing is watched.
 */
#ifndef FDSUP_SUPERVISOR_LATE_H
#define FDSUP_SUPERVISOR_LATE_H

struct service;
struct supervisor;

void late_init(struct supervisor *supervisor);

/* The service was started, or has other addresses: what is missing is tried now, and as it appears. */
void late_expect(struct service *service);

void late_stop(struct supervisor *supervisor);

#endif
