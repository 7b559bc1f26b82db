/*
 * The settings of services as the supervisor has told them. Nothing in them ever changes, and most of
 * hundreds of services have the same: they are there once.
 */
#ifndef FDSUP_ACCEPTOR_SETTINGS_H
#define FDSUP_ACCEPTOR_SETTINGS_H

#include <stdint.h>

#include "policy/admission.h"
#include "policy/lapse.h"
#include "wire/control.h"

struct settings {
	struct settings *next;  /* list: of all, the one that was wanted last first */
	struct settings **link; /* in the list: what points to it */
	uint32_t n_users;
	struct control_service told; /* but for what is of one service alone, which is zero */
	struct admission_limits limits;
	struct lapse_limits lapses;
};

/* Those for what was told, with one user more. NULL without memory. */
struct settings *settings_get(struct settings **list, const struct control_service *told);

/* The last user frees them. NULL: nothing to do. */
void settings_release(struct settings *settings);

#endif
