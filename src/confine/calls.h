/*
 * System calls by seccomp(2): what accepting needs, and nothing else.
 *
 * A call on no list fails with ENOSYS, as on a kernel that never had it: the C library has an answer
 * for that, so that a call which a later library makes and which was forgotten here costs what it was
 * for, and not the service. A call that nothing in an acceptor ever makes (to execute, to trace)
 * comes from somebody who has taken it over: it is killed, and the supervisor starts another. The
 * kernel logs both (dmesg, or audit: type=1326).
 */
#ifndef FDSUP_CONFINE_CALLS_H
#define FDSUP_CONFINE_CALLS_H

#include "confine/confine.h"

/* CONFINEMENT_ACTIVE or -errno. */
int calls_restrict(enum confine_role role);

#endif
