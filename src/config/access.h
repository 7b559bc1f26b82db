/*
 * Who may connect and when: allow, deny and hours, from texts to what is decided with.
 */
#ifndef FDSUP_CONFIG_ACCESS_H
#define FDSUP_CONFIG_ACCESS_H

#include "config/draft.h"

void access_complete(struct draft *draft);

#endif
