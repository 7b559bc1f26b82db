/*
 * The command line. With --control this is an acceptor under a supervisor, else one by hand.
 */
#ifndef FDSUP_ACCEPTOR_OPTIONS_H
#define FDSUP_ACCEPTOR_OPTIONS_H

#include <stdbool.h>

struct options {
	int control_fd; /* -1: by hand */
	int scoreboard_fd;
	int notices_fd; /* -1: none */
	int max_notices; /* a second; 0: no limit */
	const char *address;
	const char *port;
	const char *worker_socket;
	int backlog;
	bool is_verbose;
};

/* Returns -1, or the status to exit with at once: help was wanted, or the line is wrong. */
int options_parse(struct options *options, int argc, char *argv[]);

#endif
