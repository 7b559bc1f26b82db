/*
 * What a strict sandbox would let a program write that it may execute as well, or that the system
 * needs: the rules of Landlock only ever add up, so that one for a folder cannot be taken back by
 * another for what is in it.
 */
#ifndef FDSUP_CONFIG_SANDBOX_CLASH_H
#define FDSUP_CONFIG_SANDBOX_CLASH_H

#include "config/draft.h"

/* Adds a problem for each folder or file to be written that lies so. Of services with "strict". */
void sandbox_clash_check(struct draft *draft);

#endif
