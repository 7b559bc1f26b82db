/*
 * The method Explain: gathers what policy/explanation.h makes sentences of.
 */
#ifndef FDSUP_SUPERVISOR_EXPLAIN_H
#define FDSUP_SUPERVISOR_EXPLAIN_H

#include <jansson.h>

struct admin_call;

void on_explain(void *context, struct admin_call *call, const json_t *parameters);

#endif
