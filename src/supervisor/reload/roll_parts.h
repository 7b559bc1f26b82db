/*
 * The trial of a configuration, among the files that make it up: roll.c (its beginning and end),
 * roll_trial.c, roll_deaths.c.
 */
#ifndef FDSUP_SUPERVISOR_ROLL_PARTS_H
#define FDSUP_SUPERVISOR_ROLL_PARTS_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "supervisor/service/service.h"

enum { REASON_SIZE = 256 };

struct roll {
	struct service *service;
	bool is_daemon;                /* `config` is the old one, and the service has the new one already */
	struct service_config *config; /* the one that is tried; owned */
	enum config_change change;
	struct listener *opened;       /* owned */
	uint32_t n_opened;
	struct worker *worker;         /* that is tried; NULL: between two tries */
	unsigned n_failures;
	ev_timer timer;                /* the next try, or the end of the first moments of this one */
	char reason[REASON_SIZE];      /* of the last failure */
};

/* Takes it from the service. What it still holds goes with it. */
void roll_end(struct roll *roll);

/* Why the last one that was tried is not in force. */
void roll_keep_reason(struct service *service, const char *reason);

/* roll_trial.c. The outcomes: `roll` is gone. */
void roll_succeed(struct roll *roll);
void roll_fail(struct roll *roll);

/* Starts one worker with what is tried. */
void roll_try_worker(struct roll *roll);

/* It has failed, for `roll->reason`: once more, or it is given up. */
void roll_on_failure(struct roll *roll);

/* How long until the next try if this one fails now; 0: then it is given up. */
uint64_t roll_next_delay_ms(const struct roll *roll);

void roll_on_timer(struct ev_loop *loop, ev_timer *watcher, int events);

#endif
