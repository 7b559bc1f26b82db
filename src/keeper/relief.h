/*
 * While there is no supervisor nobody reads what programs write to standard error, and they would
 * stop when the pipe is full; nor what they tell of themselves. So the keeper makes room: of a pipe it
 * drops the oldest half, of what was told it keeps the newest.
 */
#ifndef FDSUP_KEEPER_RELIEF_H
#define FDSUP_KEEPER_RELIEF_H

#include "keeper/deposit.h"

enum { RELIEF_EVERY_MS = 100, RELIEF_NOTES_MAX = 256 };

/* Once in RELIEF_EVERY_MS. */
void relief_give(struct deposit *deposit);

#endif
