/*
 * Services that want the same port: one of them could not be bound.
 */
#ifndef FDSUP_CONFIG_OVERLAP_H
#define FDSUP_CONFIG_OVERLAP_H

#include "config/problems.h"

/* Adds a problem for each listener that overlaps another, naming both. Near-linear. */
void overlap_check(const struct config *config, struct problems *problems);

#endif
