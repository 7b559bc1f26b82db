/*
 * The command line of fdsup-builtin.
 */
#ifndef FDSUP_BUILTIN_OPTIONS_H
#define FDSUP_BUILTIN_OPTIONS_H

#include "builtin/caution.h"
#include "builtin/protocol.h"
#include "taker/arguments.h"

enum { OPTIONS_UDP_MAX = 16 };

struct options {
	struct arguments common;
	enum protocol protocol;
	int udp_fds[OPTIONS_UDP_MAX];
	size_t n_udp;
	uint64_t udp_rate; /* answers in udp_rate_time_ms */
	uint64_t udp_rate_time_ms;
	uint64_t udp_burst; /* 0: as udp_rate */
	enum log_address log_address;
	struct caution caution;
};

/*
 * Fills in the options. True; or false with the exit status of the program in *ret_status, after
 * help or an explanation has been written.
 */
bool builtin_options_parse(struct options *options, int argc, char *argv[], int *ret_status);

#endif
