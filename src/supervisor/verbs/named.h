/*
 * The services that a call on the admin channel names.
 */
#ifndef FDSUP_SUPERVISOR_NAMED_H
#define FDSUP_SUPERVISOR_NAMED_H

#include <jansson.h>
#include <stdbool.h>

struct admin_call;
struct supervisor;

/*
 * The services that the call names, as an array of strings that is the caller's. Without names all
 * are meant if it `may_mean_all`: then *ret_names is NULL. False: it was answered with an error.
 */
bool named_services(struct supervisor *supervisor, struct admin_call *call,
	const json_t *parameters, bool may_mean_all, json_t **ret_names);

/* names: NULL for all. */
bool is_asked_for(const json_t *names, const char *name);

/* Answers the call: there is none of that name; perhaps another was meant. */
void refuse_unknown(struct supervisor *supervisor, struct admin_call *call, const char *name);

#endif
