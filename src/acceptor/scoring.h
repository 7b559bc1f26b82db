/*
 * What a service's row on the scoreboard says of this moment, for the supervisor. What is counted once and
 * for all stands there as soon as it happens.
 */
#ifndef FDSUP_ACCEPTOR_SCORING_H
#define FDSUP_ACCEPTOR_SCORING_H

#include <stdint.h>

struct service;

/* Sets traffic->look_ns, when that has to be done again though nothing has been heard meanwhile. */
void scoring_publish(struct service *service, uint64_t now_ns);

#endif
