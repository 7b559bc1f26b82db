/*
 * What an acceptor is told of a service: the messages of wire/control.h made from its configuration,
 * its listeners and its queue.
 */
#ifndef FDSUP_SUPERVISOR_SERVICE_TELL_H
#define FDSUP_SUPERVISOR_SERVICE_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/service/service.h"

/* A new one with its queue, if there is one yet, and `first` of its listeners; or other limits. */
void service_tell_settings(struct service *service, bool is_new, const struct listener *first);

/* Its new queue. */
void service_tell_queue(struct service *service);

/* Who may connect and when, and what clients are told. */
void service_tell_access(struct service *service);

/* max_load as the acceptor counts it, in hundredths: the smallest limit is one. */
uint32_t service_tell_load_centi(double load);

/* A message that has nothing but the service's row. Nothing is done for one without an acceptor. */
void service_tell_number(struct service *service, uint32_t kind);

/* A worker that runs commands is about to be told to end them. */
void service_tell_ending(struct service *service, pid_t worker);

/* CONTROL_LISTENER with its descriptor, or CONTROL_LISTENER_CLOSE. */
void service_tell_listener(
	struct service *service, const struct listener *listener, uint32_t kind);

#endif
