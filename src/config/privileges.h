/*
 * What this process may do beyond what everybody may: the loader tells at load what could not be done
 * at the start of a service.
 */
#ifndef FDSUP_CONFIG_PRIVILEGES_H
#define FDSUP_CONFIG_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>

/* The capabilities that are permitted to us, a bit each: 1 << CAP_CHOWN and so on. */
uint64_t privileges_permitted(void);

/* `capability` is CAP_SYS_RESOURCE or another one. */
bool privileges_has(int capability);

#endif
