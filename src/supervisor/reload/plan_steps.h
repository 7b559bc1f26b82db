/*
 * A plan while it is made and carried out: a step for each service that there is or will be. plan.c
 * decides, plan_bind.c binds, plan_switch.c switches.
 */
#ifndef FDSUP_SUPERVISOR_PLAN_STEPS_H
#define FDSUP_SUPERVISOR_PLAN_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "config/builtin_ports.h"
#include "config/config.h"

struct listener;
struct service;
struct supervisor;

enum step_action {
	ACT_KEEP,
	ACT_APPLY,
	ACT_ROLL,
	ACT_REBIND,
	ACT_REPLACE, /* a service of another type takes the place of this one */
	ACT_START,   /* it is no longer disabled */
	ACT_STOP,
	ACT_ADD,
	ACT_REMOVE,
};

/* What becomes of one service. */
struct step {
	enum step_action action;
	enum config_change change;
	struct service *service;       /* the running one; NULL: it is new */
	struct service *created;       /* ACT_ADD, ACT_REPLACE: the new one; owned until then */
	struct service_config *config; /* owned until it is carried out; NULL: it goes, or is in created */
	struct listener *opened;       /* owned until it is carried out */
	uint32_t n_opened;
	bool is_tried;                 /* it is being tried since an earlier reload: ACT_KEEP */
	bool is_moving;                /* a port goes to it or from it: there is no way back for one alone */
	json_t *keys;
};

struct plan {
	struct supervisor *supervisor;
	struct config *config; /* the new one, without its services */
	struct step *steps;
	size_t n_steps;
	struct builtin_ports builtin_ports; /* those of the new one */
	json_t *errors;
};

/* The configuration that is to be in force for it; NULL: it goes. */
const struct service_config *step_wanted(const struct step *step);

/* Binds what is not bound yet, for all steps. 0, or -errno with the reasons in plan->errors. */
int plan_bind(struct plan *plan);

/* Carries all of it out; nothing of it can fail. Takes what the steps own. */
void plan_switch(struct plan *plan);

#endif
