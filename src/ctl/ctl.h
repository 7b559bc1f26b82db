/*
 * One run of fdsupctl: what was asked for, and the table of what can be asked.
 */
#ifndef FDSUP_CTL_CTL_H
#define FDSUP_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ctl/look.h"

struct ctl {
	const char *socket_path;
	const char *columns; /* -o */
	bool is_json;
	bool is_verbose;
	bool is_dry_run;
	char **names; /* services */
	size_t n_names;
	FILE *out;
	struct look look;
};

/* What may stand beside a verb, as bits. */
enum {
	VERB_TAKES_NAMES = 1,
	VERB_NEEDS_NAMES = 2,
	VERB_TAKES_COLUMNS = 4,
	VERB_TAKES_VERBOSE = 8,
	VERB_TAKES_DRY_RUN = 16,
};

struct verb {
	const char *name;
	const char *arguments;
	const char *help;
	unsigned takes;
	int (*run)(struct ctl *ctl); /* returns the exit code */
};

/* NULL: there is none of that name; *ret_closest is then one that resembles it, or NULL. */
const struct verb *verb_find(const char *name, const char **ret_closest);

/* Checks that what was given fits the verb, and runs it. Returns the exit code. */
int verb_run(const struct verb *verb, struct ctl *ctl);

/* The help text; made from the table. */
void verbs_print_help(FILE *out);

#endif
