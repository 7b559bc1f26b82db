/*
 * The keys at the top of the file, once they have been read: what depends on who runs fdsup is
 * derived, and names are resolved.
 */
#ifndef FDSUP_CONFIG_GLOBAL_H
#define FDSUP_CONFIG_GLOBAL_H

#include "config/account.h"
#include "config/draft.h"

/* Gives the zeroed configuration every default of the table. 0 or -ENOMEM. */
int global_set_defaults(struct config *config);

/* Adds a problem for each thing that is wrong, and fills what is derived. */
void global_complete(struct draft *draft, struct account_cache *accounts);

#endif
