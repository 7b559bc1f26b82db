/*
 * The verb that ends connections.
 */
#ifndef FDSUP_SUPERVISOR_VERBS_KILL_H
#define FDSUP_SUPERVISOR_VERBS_KILL_H

#include <jansson.h>

struct admin_call;

void on_kill_connection(void *context, struct admin_call *call, const json_t *parameters);

#endif
