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
 * The services that the call names, as an array of strings that is the caller's; without names, all
 * that are configured if `is_all_meant`. NULL: the call was answered with an error.
 */
json_t *named_services(struct supervisor *supervisor, struct admin_call *call,
	const json_t *parameters, bool is_all_meant);

bool is_asked_for(const json_t *names, const char *name);

/* Answers the call: there is none of that name; perhaps another was meant. */
void refuse_unknown(struct supervisor *supervisor, struct admin_call *call, const char *name);

#endif
