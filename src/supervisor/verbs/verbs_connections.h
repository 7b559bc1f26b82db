/*
 * The verbs of the admin channel about connections; rows of the table in verbs.c.
 */
#ifndef FDSUP_SUPERVISOR_VERBS_CONNECTIONS_H
#define FDSUP_SUPERVISOR_VERBS_CONNECTIONS_H

#include <jansson.h>

struct admin_call;

void on_connections(void *context, struct admin_call *call, const json_t *parameters);

#endif
