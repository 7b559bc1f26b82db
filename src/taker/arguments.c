#include "taker/arguments.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

bool arguments_take(struct arguments *arguments, int id)
{
	uint64_t number = 0;
	switch (id) {
	case ARGUMENT_QUEUE:
		if (!arguments_number(arguments, "queue", 3, INT_MAX, &number))
			return false;
		arguments->queue_fd = (int)number;
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
