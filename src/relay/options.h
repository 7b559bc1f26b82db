/*
 * The command line of fdsup-relay.
 */
#ifndef FDSUP_RELAY_OPTIONS_H
#define FDSUP_RELAY_OPTIONS_H

#include "relay/peer.h"
#include "taker/arguments.h"

struct options {
	struct arguments common;
	struct peer_rule peer;
};

/*
 * Fills in the options. True; or false with the exit status of the program in *ret_status, after
 * help or an explanation has been written.
 */
bool relay_options_parse(struct options *options, int argc, char *argv[], int *ret_status);

#endif
