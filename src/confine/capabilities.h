/*
 * Capabilities: all of them, in all sets that there are.
 */
#ifndef FDSUP_CONFINE_CAPABILITIES_H
#define FDSUP_CONFINE_CAPABILITIES_H

/* CONFINEMENT_ACTIVE: none is left to use or to inherit; else -errno. */
int capabilities_give_up(void);

/* The same as it is. */
int capabilities_look(void);

#endif
