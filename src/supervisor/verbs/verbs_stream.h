/*
 * The verbs of the admin channel that go on answering, with "more"; rows of the table in verbs.c.
 */
#ifndef FDSUP_SUPERVISOR_VERBS_STREAM_H
#define FDSUP_SUPERVISOR_VERBS_STREAM_H

#include <jansson.h>

struct admin_call;

void on_events(void *context, struct admin_call *call, const json_t *parameters);
void on_logs(void *context, struct admin_call *call, const json_t *parameters);

#endif
