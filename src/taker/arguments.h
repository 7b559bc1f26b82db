/*
 * What the command lines of our connection-serving programs have in common: the options of every
 * worker, numbers within bounds, complaints that name the program.
 */
#ifndef FDSUP_TAKER_ARGUMENTS_H
#define FDSUP_TAKER_ARGUMENTS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Time limits: what a timer and a 32-bit number of milliseconds carry, 24 days. */
enum { ARGUMENT_MS_MAX = INT32_MAX };

struct arguments {
	const char *program;
	const char *service; /* NULL: it has no name */
	int queue_fd;        /* -1: none */
	int slots_fd;        /* of the queue; 0: it has none */
	uint64_t idle_timeout_ms;
	uint64_t idle_exit_ms;
	bool is_verbose;
};

enum argument_id {
	ARGUMENT_QUEUE = 256,
	ARGUMENT_SLOTS,
	ARGUMENT_SERVICE,
	ARGUMENT_IDLE_TIMEOUT,
	ARGUMENT_IDLE_EXIT,
	ARGUMENT_VERBOSE,
	ARGUMENT_HELP,
	ARGUMENT_VERSION,
	ARGUMENT_OWN, /* the first of a program's own */
};

/* Entries of a table for getopt_long(3). */
/* clang-format off */
#define ARGUMENTS_COMMON \
	{ "queue", required_argument, NULL, ARGUMENT_QUEUE }, \
	{ "slots", required_argument, NULL, ARGUMENT_SLOTS }, \
	{ "service", required_argument, NULL, ARGUMENT_SERVICE }, \
	{ "idle-timeout", required_argument, NULL, ARGUMENT_IDLE_TIMEOUT }, \
	{ "idle-exit", required_argument, NULL, ARGUMENT_IDLE_EXIT }, \
	{ "verbose", no_argument, NULL, ARGUMENT_VERBOSE }, \
	{ "help", no_argument, NULL, ARGUMENT_HELP }, \
	{ "version", no_argument, NULL, ARGUMENT_VERSION }
/* clang-format on */

/* What is particular to a program. */
struct arguments_syntax {
	const char *usage;
	const struct option *options; /* ARGUMENTS_COMMON among them */
	/* Takes an option of the program's own with its value in optarg. False after a complaint. */
	bool (*take)(void *context, int id);
};

/*
 * Reads all options and looks whether those that every worker needs are there; what follows them
 * begins at argv[optind]. False after help or a complaint, *ret_status the program's exit status.
 */
bool arguments_parse(struct arguments *arguments, const struct arguments_syntax *syntax,
	void *context, int argc, char *argv[], int *ret_status);

/* Reads optarg. False after a complaint. */
bool arguments_number(const struct arguments *arguments, const char *option, uint64_t least,
	uint64_t most, uint64_t *ret);

/* Says what is wrong with the command line, and returns false. */
bool arguments_complain(const struct arguments *arguments, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* For a program that has nothing but options, and works with a queue alone. */
bool arguments_check_queue(const struct arguments *arguments, int n_left, char *left[]);

/* Logs why a taker could not be opened on the descriptor of --queue: what taker_open returned. */
void arguments_refuse_queue(const struct arguments *arguments, int error);

/*
 * What every such program does first: tidy descriptors and signals, log the way its surroundings
 * read it, raise the soft limit on descriptors. False after having logged why not.
 */
bool arguments_apply(const struct arguments *arguments);

#endif
