/*
 * The command line of fdsup-redirect.
 */
#ifndef FDSUP_REDIRECT_OPTIONS_H
#define FDSUP_REDIRECT_OPTIONS_H

#include "redirect/address.h"
#include "taker/arguments.h"

struct options {
	struct arguments common;
	struct target target;
	uint64_t connect_timeout_ms;
};

/*
 * Fills in the options. True; or false with the exit status of the program in *ret_status, after
 * help or an explanation has been written.
 */
bool redirect_options_parse(struct options *options, int argc, char *argv[], int *ret_status);

#endif
