/*
 * A question of a verb to the daemon: asked, and all answers dealt with that are not good ones.
 */
#ifndef FDSUP_CTL_ASK_H
#define FDSUP_CTL_ASK_H

#include <jansson.h>
#include <stdbool.h>

#include "ctl/client.h"
#include "ctl/ctl.h"

enum { QUERY_TIMEOUT_MS = 5000, CHANGE_TIMEOUT_MS = 600000 };

/* One method of org.fdsup. */
struct question {
	const char *method;
	const char *rows; /* the array that every good answer has; NULL: it has none */
	bool is_change;
	unsigned timeout_ms; /* 0: what is usual for a change or a query */
};

/* Takes `parameters`. CTL_OK and *ret, or the exit code after a complaint. */
int ask(struct ctl *ctl, const struct question *question, json_t *parameters,
	struct client_reply *ret);

/* The same on a connection, which it takes. */
int ask_on(struct ctl *ctl, int connection, const struct question *question, json_t *parameters,
	struct client_reply *ret);

/* {"services": [NAME, ...]}, or {} for all. */
json_t *services_parameter(const struct ctl *ctl);

/* Pretty-printed, with the version of this format first. */
void print_json(struct ctl *ctl, const json_t *object);

#endif
