/*
 * Admin calls that are answered when it has happened: services started, stopped or restarted.
 */
#ifndef FDSUP_SUPERVISOR_WAITS_H
#define FDSUP_SUPERVISOR_WAITS_H

#include <jansson.h>

struct admin_call;
struct service;
struct supervisor;

enum wait_for {
	WAIT_STARTED,
	WAIT_STOPPED,
	WAIT_DRAINED, /* stopped, when the last connection has ended */
	WAIT_PAUSED,
	WAIT_RESUMED,
	WAIT_UP,      /* however long it takes, until the client goes */
};

/*
 * Answers the call with an Outcome for each of the named services, as soon as all have settled, or
 * when the longest time that their configuration allows is over. Takes `names`, an array of strings.
 */
void waits_add(struct supervisor *supervisor, struct admin_call *call, enum wait_for what, json_t *names);

/* What a call waits for, and the same for the program that takes our place. NULL: it is none of ours. */
json_t *waits_save(const struct supervisor *supervisor, const struct admin_call *call);
void waits_restore(struct supervisor *supervisor, struct admin_call *call, const json_t *json);

/* A service changed its state. */
void waits_on_change(struct supervisor *supervisor, struct service *service);

/* Answers all that still wait, with what is. */
void waits_end(struct supervisor *supervisor);

#endif
