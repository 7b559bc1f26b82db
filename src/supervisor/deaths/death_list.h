/*
 * The deaths of workers and daemons, remembered for `fdsupctl deaths`: the last hundred of a service,
 * and so many in all that a thousand services which crash in turn cost a few megabytes.
 *
 * Those of commands are in a list of the same kind beside it.
 *
 * They outlive the service: one that a reload has removed is still spoken of.
 */
#ifndef FDSUP_SUPERVISOR_DEATH_LIST_H
#define FDSUP_SUPERVISOR_DEATH_LIST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { DEATHS_KEPT_OF_SERVICE = 100, DEATHS_KEPT = 500 };

/* All zeros: an empty list. */
struct death_list {
	json_t *all; /* an array, the oldest first; NULL: none */
	char *text;  /* the same as JSON, owned; what comes from another program is read when it is asked for */
	bool is_touched; /* since whoever looks at this has made it false */
};

/* Takes a Death, an object with the member "service". */

void death_list_add(struct death_list *list, json_t *death);

/* The last `n`, the oldest first, of one service, or of all where the name is NULL. A new array. */
json_t *death_list_last(struct death_list *list, const char *service, size_t n);

/* The newest of a service, and the newest of those with this number in a field. Borrowed; or NULL. */
json_t *death_list_newest(struct death_list *list, const char *service);
json_t *death_list_find(
	struct death_list *list, const char *service, const char *field, json_int_t number);

/* The same, out of the list and the caller's. */
json_t *death_list_take(
	struct death_list *list, const char *service, const char *field, json_int_t number);

/* As death_list_last, of both together in the order of their times ("at"). */
json_t *death_list_last_of_both(struct death_list *one, struct death_list *other,
	const char *service, size_t n);

/*
 * All of it as a text for another program, the list's own until it changes; NULL: there is nothing, or no
 * memory. And back; nonsense makes an empty list, which is logged.
 */
const char *death_list_save(struct death_list *list);
void death_list_forget_text(struct death_list *list); /* the text only: it is not needed for now */
void death_list_restore(struct death_list *list, const char *text, size_t length);

void death_list_fini(struct death_list *list);

#endif
