/*
 * What the death of a worker has cost, gathered while its connections are judged, and told to the
 * supervisor, which has the record of the death.
 */
#ifndef FDSUP_ACCEPTOR_TOLL_H
#define FDSUP_ACCEPTOR_TOLL_H

#include <sys/types.h>

#include "acceptor/ledger.h"
#include "wire/control.h"

struct service;

/* From now on what happens to connections of the service is the doing of this death; the caller's. */
void toll_begin(struct service *service, struct control_toll *toll, pid_t worker);

/* A command of this worker has ended, which was not alive any more; that it died may be told later. */
void toll_orphan(struct service *service, pid_t worker);

/* Told, unless the workers of the service say too little for it to be known. */
void toll_end(struct service *service);

/* One connection each. Its command serves it all the same. */
void toll_lives_on(struct service *service);
void toll_lost(struct service *service);
void toll_redelivered(struct service *service);

/* The reason for one that is lost, which is another call. */
void toll_given_up(struct service *service, const struct ledger_entry *entry);

#endif
