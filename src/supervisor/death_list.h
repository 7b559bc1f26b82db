/*
 * The deaths of workers and daemons, remembered for `fdsupctl deaths`: the last hundred of a service,
 * and so many in all that a thousand services which crash in turn cost a few megabytes.
 *
 * They outlive the service: one that a reload has removed is still spoken of.
 */
#ifndef FDSUP_SUPERVISOR_DEATH_LIST_H
#define FDSUP_SUPERVISOR_DEATH_LIST_H

#include <jansson.h>
#include <stddef.h>

enum { DEATHS_KEPT_OF_SERVICE = 100, DEATHS_KEPT = 500 };

/* Takes a Death, an object with the member "service". All zeros: an empty list. */
struct death_list {
	json_t *all; /* an array, the oldest first; NULL: none */
};

void death_list_add(struct death_list *list, json_t *death);

/* The last `n`, the oldest first, of one service, or of all where the name is NULL. A new array. */
json_t *death_list_last(const struct death_list *list, const char *service, size_t n);

void death_list_fini(struct death_list *list);

#endif
