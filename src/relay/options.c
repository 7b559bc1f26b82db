#include "relay/options.h"

#include <errno.h>

static const char usage_text[] =
	"Usage: fdsup-relay --queue FD --service NAME --worker-socket SOCKET [OPTION...]\n"
	"\n"
	"Hands each connection on to the worker that listens on SOCKET, a path or \"@name\": one zero\n"
	"byte with one descriptor. fdsup starts it for services of type external.\n"
	"\n"
	"  --allow-uid UID    whose worker it may be besides root's and our own user's (default: with\n"
	"                     a path anybody's who could put a socket there)\n"
	"  --idle-exit MS     exit when there was no connection for so long (default 0: never)\n"
	"  --slots FD         table of the connections in the queue\n"
	"  --verbose          one line an event on standard error\n"
	"  --help, --version\n"
	"\n"
	"TERM ends it, HUP waits until the worker has received what is on its way.\n";

enum option_id { OPTION_WORKER_SOCKET = ARGUMENT_OWN, OPTION_ALLOW_UID };

static const struct option long_options[] = {
	ARGUMENTS_COMMON,
	{ "worker-socket", required_argument, NULL, OPTION_WORKER_SOCKET },
	{ "allow-uid", required_argument, NULL, OPTION_ALLOW_UID },
	{ NULL, 0, NULL, 0 },
};

static bool parse_socket(struct options *options)
{
	int r = unix_name_parse(optarg, &options->peer.name);
	options->peer.text = optarg;
	if (r == -ENAMETOOLONG)
		return arguments_complain(&options->common,
			"--worker-socket %s: the name of a Unix socket has at most %d bytes", optarg,
			UNIX_NAME_MAX);
	return r == 0 ||
	       arguments_complain(&options->common, "--worker-socket: the name is empty");
}

static bool parse_option(void *context, int id)
{
	struct options *options = context;
	uint64_t uid;
	if (id == OPTION_WORKER_SOCKET)
		return parse_socket(options);
	if (!arguments_number(&options->common, "allow-uid", 0, UINT32_MAX - 1, &uid))
		return false;
	options->peer.has_uid = true;
	options->peer.uid = (uid_t)uid;
	return true;
}

static bool check(const struct options *options)
{
	return options->peer.text ||
	       arguments_complain(&options->common, "--worker-socket SOCKET is needed");
}

bool relay_options_parse(struct options *options, int argc, char *argv[], int *ret_status)
{
	static const struct arguments_syntax syntax = { usage_text, long_options, parse_option };
	*options = (struct options){
		.common = { .program = "fdsup-relay", .queue_fd = -1 },
	};
	return arguments_parse(&options->common, &syntax, options, argc, argv, ret_status) &&
	       arguments_check_queue(&options->common, argc - optind, argv + optind) &&
	       check(options);
}
