/*
 * Reload: a transaction. The file is loaded beside the running configuration while everything goes
 * on, everything new is bound first, then all is switched at once; whatever fails before that
 * leaves all as it was. A service whose processes must be others tries that first (supervisor/reload/roll.h);
 * if it cannot be done, that service keeps the configuration that it had, wholly.
 */
#ifndef FDSUP_SUPERVISOR_RELOAD_H
#define FDSUP_SUPERVISOR_RELOAD_H

#include <stdbool.h>

struct admin_call;
struct service;
struct supervisor;

/*
 * Asks for a reload, and answers the call (NULL: nobody waits) when it is done: with the plan, which
 * has been carried out unless is_dry_run, and with what of it could not be, or with the errors. One that
 * is asked for during another comes after it, but does not wait for the services that are still trying.
 */
void reload_request(struct supervisor *supervisor, struct admin_call *call, bool is_dry_run);

/* An acceptor has confirmed something: perhaps it is what a reload waits for. */
void reload_on_confirmation(struct supervisor *supervisor);

/* A service has tried its new configuration. `failure`: why it keeps the old one; NULL: it does not. */
void reload_on_rolled(
	struct supervisor *supervisor, const struct service *service, const char *failure);

/* Answers all that wait, and ends the loading that is under way. */
void reload_end(struct supervisor *supervisor);

#endif
