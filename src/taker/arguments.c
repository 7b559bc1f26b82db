#include "taker/arguments.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/fd.h"
#include "base/log.h"
#include "worker/inherited.h"

bool arguments_complain(const struct arguments *arguments, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s: ", arguments->program);
	vfprintf(stderr, format, args);
	fprintf(stderr, "\nTry \"%s --help\".\n", arguments->program);
	va_end(args);
	return false;
}

bool arguments_number(const struct arguments *arguments, const char *option, uint64_t least,
	uint64_t most, uint64_t *ret)
{
	char *end;
	errno = 0;
	unsigned long long number = strtoull(optarg, &end, 10);
	if (errno || end == optarg || *end || strchr(optarg, '-') || number < least ||
		number > most)
		return arguments_complain(arguments,
			"--%s %s: a number from %llu to %llu is needed", option, optarg,
			(unsigned long long)least, (unsigned long long)most);
	*ret = number;
	return true;
}

static bool take_common(struct arguments *arguments, int id)
{
	uint64_t number = 0;
	switch (id) {
	case ARGUMENT_QUEUE:
		if (!arguments_number(arguments, "queue", 3, INT_MAX, &number))
			return false;
		arguments->queue_fd = (int)number;
		return true;
	case ARGUMENT_SLOTS:
		if (!arguments_number(arguments, "slots", 3, INT_MAX, &number))
			return false;
		arguments->slots_fd = (int)number;
		return true;
	case ARGUMENT_SERVICE:
		arguments->service = optarg;
		return true;
	case ARGUMENT_IDLE_TIMEOUT:
		return arguments_number(
			arguments, "idle-timeout", 0, ARGUMENT_MS_MAX, &arguments->idle_timeout_ms);
	case ARGUMENT_IDLE_EXIT:
		return arguments_number(
			arguments, "idle-exit", 0, ARGUMENT_MS_MAX, &arguments->idle_exit_ms);
	case ARGUMENT_VERBOSE:
		arguments->is_verbose = true;
		return true;
	default:
		/* getopt_long has said what is wrong. */
		fprintf(stderr, "Try \"%s --help\".\n", arguments->program);
		return false;
	}
}

bool arguments_parse(struct arguments *arguments, const struct arguments_syntax *syntax,
	void *context, int argc, char *argv[], int *ret_status)
{
	int id;
	*ret_status = EX_USAGE;
	while ((id = getopt_long(argc, argv, "+", syntax->options, NULL)) != -1) {
		if (id == ARGUMENT_HELP || id == ARGUMENT_VERSION) {
			*ret_status = EXIT_SUCCESS;
			if (id == ARGUMENT_HELP)
				fputs(syntax->usage, stdout);
			else
				printf("%s %s\n", arguments->program, FDSUP_VERSION);
			return false;
		}
		if (id >= ARGUMENT_OWN ? !syntax->take(context, id) : !take_common(arguments, id))
			return false;
	}
	return arguments->service || arguments_complain(arguments, "--service NAME is needed");
}

bool arguments_check_queue(const struct arguments *arguments, int n_left, char *left[])
{
	if (n_left > 0)
		return arguments_complain(arguments, "%s: there are only options here", left[0]);
	return arguments->queue_fd >= 0 ||
	       arguments_complain(arguments, "--queue FD is needed: fdsup gives its workers their end of "
					     "the queue");
}

void arguments_refuse_queue(const struct arguments *arguments, int error)
{
	log_error("--queue %d: %s: it must be the workers' end of a queue, which fdsup gives to its "
		  "workers",
		arguments->queue_fd,
		error == -EPROTOTYPE ? "not a SOCK_SEQPACKET Unix socket" : strerror(-error));
}

bool arguments_apply(const struct arguments *arguments)
{
	unsigned long before;
	log_to_supervisor();
	log_set_level(arguments->is_verbose ? LOG_INFO : LOG_NOTICE);
	int r = inherited_tidy();
	if (r < 0) {
		log_error("cannot set up descriptors: %s", strerror(-r));
		return false;
	}
	fd_raise_limit(&before); /* what cannot be raised is lived with */
	return true;
}
