/*
 * fdsupctl: asks the daemon and shows the answer. Here is only the command line.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/exitcode.h"
#include "ctl/socket_path.h"

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "columns", required_argument, NULL, 'o' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* *ret_verb is set by -h and -V, which are verbs in disguise. False: the command line is wrong. */
static bool parse_options(
	int argc, char *argv[], struct ctl *ctl, const char **ret_socket, const char **ret_verb)
{
	for (int option;
		(option = getopt_long(argc, argv, "s:jo:vnhV", long_options, NULL)) != -1;) {
		switch (option) {
		case 's':
			*ret_socket = optarg;
			break;
		case 'j':
			ctl->is_json = true;
			break;
		case 'o':
			ctl->columns = optarg;
			break;
		case 'v':
			ctl->is_verbose = true;
			break;
		case 'n':
			ctl->is_dry_run = true;
			break;
		case 'h':
			*ret_verb = "help";
			break;
		case 'V':
			*ret_verb = "version";
			break;
		default:
			return false;
		}
	}
	return true;
}

static int refuse_verb(const char *name, const char *closest)
{
	fprintf(stderr, "fdsupctl: there is no verb \"%s\"", name);
	if (closest)
		fprintf(stderr, "; did you mean \"%s\"?\n", closest);
	else
		fputs("; `fdsupctl help` lists them\n", stderr);
	return CTL_USAGE;
}

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
	const char *socket = NULL, *name = NULL, *closest = NULL;
	if (!parse_options(argc, argv, &ctl, &socket, &name)) {
		fputs("`fdsupctl help` lists verbs and options\n", stderr);
		return CTL_USAGE;
	}
	if (!name && optind == argc) {
		verbs_print_help(stderr);
		return CTL_USAGE;
	}
	if (!name)
		name = argv[optind++];
	const struct verb *verb = verb_find(name, &closest);
	if (!verb)
		return refuse_verb(name, closest);
	char *path = socket_path_find(socket);
	if (!path) {
		fprintf(stderr, "fdsupctl: %s\n", strerror(ENOMEM));
		return CTL_UNKNOWN;
	}
	ctl.socket_path = path;
	ctl.names = argv + optind;
	ctl.n_names = (size_t)(argc - optind);
	ctl.look = look_of(STDOUT_FILENO);
	int code = finish(stdout, verb_run(verb, &ctl));
	free(path);
	return code;
}
