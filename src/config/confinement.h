/*
 * Whether what a service's program is confined by can be had here: limits, capabilities,
 * another root directory, a sandbox, a control group.
 */
#ifndef FDSUP_CONFIG_CONFINEMENT_H
#define FDSUP_CONFIG_CONFINEMENT_H

#include "config/draft.h"

/* Adds a problem for each key that could not be obeyed when the program is started. */
void confinement_check(struct draft *draft);

#endif
