/*
 * One run of fdsupctl: what was asked for, and the table of what can be asked.
 */
#ifndef FDSUP_CTL_CTL_H
#define FDSUP_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/look.h"

struct ctl {
	const char *socket_option; /* -s */
	const char *socket_path;
	unsigned given;       /* options, as bits by enum option_id */
	const char *columns;  /* -o */
	const char *sort;     /* --sort */
	const char *states;   /* --state */
	long worker;          /* --worker */
	const char *source;   /* --source */
	long n_lines;         /* -n of logs and deaths */
	uint64_t timeout_ms;  /* --timeout */
	uint64_t interval_ms; /* --interval */
	bool is_json;
	bool is_verbose;
	char **names; /* services */
	size_t n_names;
	FILE *out;
	struct look look;
};

static inline bool is_given(const struct ctl *ctl, unsigned option)
{
	return ctl->given >> option & 1;
}

/* What may stand beside a verb, as bits. */
enum {
	VERB_TAKES_NAMES = 1,
	VERB_NEEDS_NAMES = 2,
	VERB_TAKES_COLUMNS = 4, /* and --sort: it is a listing */
	VERB_TAKES_VERBOSE = 8,
	VERB_TAKES_DRY_RUN = 16,
	VERB_TAKES_STATE = 32,
	VERB_TAKES_WORKER = 64,
	VERB_TAKES_ALL = 128,
	VERB_TAKES_NUMERIC = 256,
	VERB_TAKES_LINES = 512,
	VERB_TAKES_FOLLOW = 1024,
	VERB_TAKES_TIMEOUT = 2048,
	VERB_TAKES_INTERVAL = 4096,
	VERB_NEEDS_ONE_NAME = 8192,
	VERB_TAKES_SOURCE = 16384,
};

struct table;

struct verb {
	const char *name;
	const char *arguments;
	const char *help;
	unsigned takes;
	int (*run)(struct ctl *ctl); /* returns the exit code */
	const struct table *table;   /* whose columns -o and --sort name; NULL: it is no listing */
};

extern const struct verb verbs[];
extern const size_t verbs_n;

/* NULL: there is none of that name; *ret_closest is then one that resembles it, or NULL. */
const struct verb *verb_find(const char *name, const char **ret_closest);

/* Checks that what was given fits the verb, and runs it. Returns the exit code. */
int verb_run(const struct verb *verb, struct ctl *ctl);

/* The help text; made from the tables. */
void verbs_print_help(FILE *out);

#endif
