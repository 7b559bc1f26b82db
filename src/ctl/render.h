/*
 * The listings of the verbs. Each takes the parameters of a reply as they came; nothing here asks
 * the daemon or decides an exit code.
 */
#ifndef FDSUP_CTL_RENDER_H
#define FDSUP_CTL_RENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "ctl/table.h"

struct dead;

extern const struct table table_status;    /* rows: services */
extern const struct table table_listeners; /* rows: listeners */
extern const struct table table_connections; /* rows: connections */
extern const struct table table_workers;   /* rows: workers */

extern const struct table table_deaths;    /* rows: deaths */
extern const struct table table_deaths_verbose; /* the same, with all of the last words */

/*
 * All of `status`: lines about the daemon, the table with what is wrong beneath each service, the
 * sum. With chosen columns the table alone, since something else is going to read it.
 */
void render_status(FILE *out, const json_t *parameters, const struct table_choice *choice,
	bool is_verbose, const struct look *look);

/* How much of each of its limits a service has used: lines that stand beneath it. */
void render_limits(FILE *out, const json_t *service, const struct look *look);

/* The plan of a reload. What stays as it is is counted, and listed only if `is_verbose`. */
void render_changes(FILE *out, const json_t *parameters, bool is_verbose, const struct look *look);

void render_dead(FILE *out, const struct dead *dead, const struct look *look);
json_t *render_dead_json(const struct dead *dead);

#endif
