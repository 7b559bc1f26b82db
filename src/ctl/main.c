/*
 * fdsupctl: asks the daemon and shows the answer. Here is only what comes before and after a verb.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/exitcode.h"
#include "ctl/options.h"
#include "ctl/socket_path.h"

/* What did not reach its reader must not pass for success. */
static int finish(FILE *out, int code)
{
	if (fflush(out) == 0 && !ferror(out))
		return code;
	fprintf(stderr, "fdsupctl: cannot write the answer: %s\n", strerror(errno));
	return CTL_UNKNOWN;
}

int main(int argc, char *argv[])
{
	struct ctl ctl = { .out = stdout };
	const struct verb *verb;
	int at;
	int code = options_find_verb(argc, argv, &ctl, &verb, &at);
	if (code == CTL_OK && !verb) {
		verbs_print_help(stderr);
		code = CTL_USAGE;
	}
	if (code == CTL_OK && at < argc)
		code = options_of_verb(argc - at, argv + at, verb, &ctl);
	if (code != CTL_OK)
		return code;
	char *path = socket_path_find(ctl.socket_option);
	if (!path) {
		fprintf(stderr, "fdsupctl: %s\n", strerror(ENOMEM));
		return CTL_UNKNOWN;
	}
	ctl.socket_path = path;
	ctl.is_json = is_given(&ctl, OPTION_JSON);
	ctl.is_verbose = is_given(&ctl, OPTION_VERBOSE);
	ctl.look = look_of(STDOUT_FILENO);
	code = finish(stdout, verb_run(verb, &ctl));
	free(path);
	return code;
}
