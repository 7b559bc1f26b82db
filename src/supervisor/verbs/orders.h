/*
 * The verbs of the admin channel that change something; rows of the table in verbs.c.
 */
#ifndef FDSUP_SUPERVISOR_ORDERS_H
#define FDSUP_SUPERVISOR_ORDERS_H

#include <jansson.h>

struct admin_call;

void on_start(void *context, struct admin_call *call, const json_t *parameters);
void on_stop(void *context, struct admin_call *call, const json_t *parameters);
void on_restart(void *context, struct admin_call *call, const json_t *parameters);
void on_drain(void *context, struct admin_call *call, const json_t *parameters);
void on_pause(void *context, struct admin_call *call, const json_t *parameters);
void on_resume(void *context, struct admin_call *call, const json_t *parameters);
void on_wait(void *context, struct admin_call *call, const json_t *parameters);
void on_upgrade(void *context, struct admin_call *call, const json_t *parameters);
void on_reload(void *context, struct admin_call *call, const json_t *parameters);

#endif
