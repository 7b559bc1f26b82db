/*
 * A new configuration of a running service is tried before it takes the place of the old one.
 *
 * One worker is started with it, beside those that serve. When that one is ready the service changes
 * over; when it ends first, three times, nothing has changed: the old configuration, its listeners
 * and its workers were in force all the time. Two daemons would be in each other's way: the old one
 * ends first, and is started again with the old configuration if the new one does not come up.
 */
#ifndef FDSUP_SUPERVISOR_ROLL_H
#define FDSUP_SUPERVISOR_ROLL_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "supervisor/listeners/listeners.h"

struct service;
struct worker;
struct roll;

/* Workers of a new generation that may be on their way to being ready at a time. */
enum { ROLL_AT_A_TIME = 3 };

/* Starts of a new configuration that may fail before it is given up. */
enum { ROLL_TRIES = 3 };

/* Whether there is something that a new configuration could break. */
bool roll_is_worth_it(const struct service *service, enum config_change change);

/*
 * Takes the configuration and the listeners, and calls service_reconfigure when it has been tried.
 * The outcome goes to reload_on_rolled. roll_supersede comes before.
 */
void roll_begin(struct service *service, struct service_config *config, enum config_change change,
	struct listener *opened, uint32_t n_opened);

/* What is being tried takes effect as it is. */
void roll_accept(struct service *service);

/* The service is stopped, restarted or removed meanwhile: the old configuration stays. `why`: for the log. */
void roll_cancel(struct service *service, const char *why);

/* Another configuration comes that has not been tried. */
void roll_supersede(struct service *service);

/* Without a word, and without an outcome: at the end of all. */
void roll_destroy(struct service *service);

/* The configuration that is being tried; NULL: none is. */
const struct service_config *roll_tried(const struct service *service);

/* Sockets that are bound for a configuration that is being tried. Returns their number. */
uint32_t roll_listeners(const struct service *service, const struct listener **ret_listeners);

/* Whether the worker is the one that is being tried, which counts for nothing until it is ready. */
bool roll_is_trial(const struct worker *worker);

/* Whether it has a new configuration which it gives back if its daemon does not come up with it. */
bool roll_has_daemon(const struct service *service);

/* The worker has said that it is ready. */
void roll_on_ready(struct worker *worker);

/* All workers of the service are ready: of a daemon, that is what was waited for. */
void roll_on_all_ready(struct service *service);

/*
 * A worker has ended, or could not be started (then `worker` is NULL and `what` says why). True if the
 * trial is the only one whom it concerns: nothing else is to be done about it.
 */
bool roll_on_death(struct service *service, const struct worker *worker, int status);
bool roll_on_failed_start(struct service *service, const char *step, int error);

#endif
