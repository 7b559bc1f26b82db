/*
 * What a service's row on the scoreboard says of this moment, for the supervisor. What is counted once and
 * for all stands there as soon as it happens.
 */
#ifndef FDSUP_ACCEPTOR_SCORING_H
#define FDSUP_ACCEPTOR_SCORING_H

#include <stdint.h>

struct service;

/* Sets service->look_ns, when that has to be done again though nothing has been heard meanwhile. */
void scoring_publish(struct service *service, uint64_t now_ns);

/*
 * How many live, at once; `n_ended` of those in the ledger have just been counted as ended. Whoever comes
 * after an acceptor that was killed takes all others for connections that live on.
 */
void scoring_publish_live(struct service *service, uint32_t n_ended);

#endif
