/*
 * The options of fdsupctl, in one table: the command line, the help and the completion come from it.
 */
#ifndef FDSUP_CTL_OPTIONS_H
#define FDSUP_CTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl/ctl.h"

enum option_id {
	OPTION_SOCKET,
	OPTION_JSON,
	OPTION_COLUMNS,
	OPTION_SORT,
	OPTION_STATE,
	OPTION_WORKER,
	OPTION_SOURCE,
	OPTION_ALL,
	OPTION_VERBOSE,
	OPTION_DRY_RUN,
	OPTION_NUMERIC,
	OPTION_LINES,
	OPTION_FOLLOW,
	OPTION_TIMEOUT,
	OPTION_INTERVAL,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_COUNT,
};

struct ctl_option {
	const char *name;
	char letter;          /* 0: none. -n stands for another option with another verb */
	const char *argument; /* NULL: takes none */
	unsigned of_verbs;    /* bits of VERB_TAKES_*: a verb must have one of them; 0: all verbs */
	const char *help;
};

extern const struct ctl_option ctl_options[OPTION_COUNT];

/* Whether the option may stand beside the verb. */
bool option_fits(const struct ctl_option *option, const struct verb *verb);

/*
 * What stands before the verb, and which verb it is; -h and -V are verbs in disguise. *ret_at is where
 * the words of the verb begin in argv, the verb included. CTL_OK with *ret_verb, which is NULL if
 * there is none at all, or CTL_USAGE after a complaint.
 */
int options_find_verb(
	int argc, char *argv[], struct ctl *ctl, const struct verb **ret_verb, int *ret_at);

/* What stands behind the verb, which is argv[0]. CTL_OK, or CTL_USAGE after a complaint. */
int options_of_verb(int argc, char *argv[], const struct verb *verb, struct ctl *ctl);

#endif
