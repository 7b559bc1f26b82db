/*
 * What no key can know alone: values that contradict each other or what is on this machine.
 */
#ifndef FDSUP_CONFIG_CHECK_H
#define FDSUP_CONFIG_CHECK_H

#include "config/draft.h"

/* Adds a problem for each contradiction in a service whose derived values are filled. */
void check_service(struct draft *draft);

#endif
