#include "acceptor/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { BACKLOG_DEFAULT = 4096, BACKLOG_MAX = 1 << 20, NOTICES_MAX = 1000000 };

static const char usage[] = "usage: fdsup-acceptor [OPTION...] ADDRESS PORT SOCKET\n";

static const char help[] =
	"\n"
	"Accepts TCP connections and passes each to the worker that listens on a Unix socket: one\n"
	"zero byte and one descriptor a connection (fdsup-protocol(7)). While no worker is there,\n"
	"clients wait in the kernel's queue.\n"
	"\n"
	"  ADDRESS           to listen on: address, host name, or \"*\" for IPv6 and IPv4\n"
	"  PORT              number or service name; 0 lets the kernel choose\n"
	"  SOCKET            of the worker: a path, or @NAME in the abstract namespace\n"
	"\n"
	"  -b, --backlog=N   connections that the kernel keeps waiting (4096)\n"
	"  -v, --verbose     say each connection that is passed\n"
	"  -h, --help        this text\n"
	"  -V, --version     the version\n"
	"\n"
	"Under fdsup(8): fdsup-acceptor --control FD --scoreboard FD [--notices FD [--max-notices N]]\n";

static int refuse(const char *text, const char *value)
{
	fprintf(stderr, "fdsup-acceptor: %s%s\n%sTry --help.\n", text, value, usage);
	return EX_USAGE;
}

static bool parse_number(const char *text, long min, long max, int *ret)
{
	char *end;
	errno = 0;
	long number = strtol(text, &end, 10);
	if (errno || end == text || *end || number < min || number > max)
		return false;
	*ret = (int)number;
	return true;
}

static bool parse_descriptor(const char *text, int *ret)
{
	return parse_number(text, 0, 1 << 20, ret) && fcntl(*ret, F_SETFD, FD_CLOEXEC) == 0;
}

static int parse_option(struct options *options, int option)
{
	switch (option) {
	case 'C':
		return parse_descriptor(optarg, &options->control_fd)
			       ? -1
			       : refuse("--control needs an open descriptor, not ", optarg);
	case 'S':
		return parse_descriptor(optarg, &options->scoreboard_fd)
			       ? -1
			       : refuse("--scoreboard needs an open descriptor, not ", optarg);
	case 'N':
		return parse_descriptor(optarg, &options->notices_fd)
			       ? -1
			       : refuse("--notices needs an open descriptor, not ", optarg);
	case 'M':
		return parse_number(optarg, 0, NOTICES_MAX, &options->max_notices)
			       ? -1
			       : refuse("--max-notices needs a number from 0, not ", optarg);
	case 'b':
		return parse_number(optarg, 1, BACKLOG_MAX, &options->backlog)
			       ? -1
			       : refuse("--backlog needs a number from 1, not ", optarg);
	case 'v':
		options->is_verbose = true;
		return -1;
	case 'h':
		printf("%s%s", usage, help);
		return EX_OK;
	case 'V':
		puts("fdsup-acceptor " FDSUP_VERSION);
		return EX_OK;
	}
	fprintf(stderr, "%sTry --help.\n", usage); /* getopt has said what is wrong */
	return EX_USAGE;
}

static int parse_operands(struct options *options, int n, char *operands[])
{
	bool has_control = options->control_fd >= 0, has_scoreboard = options->scoreboard_fd >= 0;
	if (has_control != has_scoreboard)
		return refuse("--control and --scoreboard go together", "");
	if (options->notices_fd >= 0 && !has_control)
		return refuse("--notices needs --control", "");
	if (has_control)
		return n == 0 ? -1 : refuse("unexpected operand ", operands[0]);
	if (n != 3)
		return refuse(
			n < 3 ? "ADDRESS, PORT and SOCKET are needed" : "too many operands", "");
	options->address = operands[0];
	options->port = operands[1];
	options->worker_socket = operands[2];
	return -1;
}

int options_parse(struct options *options, int argc, char *argv[])
{
	static const struct option names[] = {
		{ "control", required_argument, NULL, 'C' },
		{ "scoreboard", required_argument, NULL, 'S' },
		{ "notices", required_argument, NULL, 'N' },
		{ "max-notices", required_argument, NULL, 'M' },
		{ "backlog", required_argument, NULL, 'b' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	*options = (struct options){
		.control_fd = -1,
		.scoreboard_fd = -1,
		.notices_fd = -1,
		.backlog = BACKLOG_DEFAULT,
	};
	int option;
	while ((option = getopt_long(argc, argv, "b:vhV", names, NULL)) >= 0) {
		int status = parse_option(options, option);
		if (status >= 0)
			return status;
	}
	return parse_operands(options, argc - optind, argv + optind);
}
