#include "redirect/options.h"

enum { CONNECT_TIMEOUT_MS = 10000 };

static const char usage_text[] =
	"Usage: fdsup-redirect --queue FD --service NAME --to TARGET [OPTION...]\n"
	"\n"
	"Forwards each connection that an acceptor hands over to TARGET: \"host:port\",\n"
	"\"[IPv6]:port\", \"unix:/path\" or \"unix:@name\". fdsup starts it for services of type\n"
	"redirect.\n"
	"\n"
	"  --connect-timeout MS  how long to look for an address that answers (default 10000)\n"
	"  --idle-timeout MS     end a connection on which nothing moved for so long (default 0:\n"
	"                        never)\n"
	"  --idle-exit MS        exit when there was no connection for so long (default 0: never)\n"
	"  --slots FD            table of the connections in the queue\n"
	"  --verbose             one line an event on standard error\n"
	"  --help, --version\n"
	"\n"
	"TERM ends the connections and then us, HUP waits until they have ended by themselves.\n";

enum option_id { OPTION_TO = ARGUMENT_OWN, OPTION_CONNECT_TIMEOUT };

static const struct option long_options[] = {
	ARGUMENTS_COMMON,
	{ "to", required_argument, NULL, OPTION_TO },
	{ "connect-timeout", required_argument, NULL, OPTION_CONNECT_TIMEOUT },
	{ NULL, 0, NULL, 0 },
};

static bool parse_target(struct options *options)
{
	char error[TARGET_ERROR_SIZE];
	return target_parse(&options->target, optarg, error) ||
	       arguments_complain(&options->common, "--to %s: %s", optarg, error);
}

static bool parse_option(void *context, int id)
{
	struct options *options = context;
	if (id == OPTION_TO)
		return parse_target(options);
	return arguments_number(&options->common, "connect-timeout", 1, ARGUMENT_MS_MAX,
		&options->connect_timeout_ms);
}

static bool check(const struct options *options)
{
	return options->target.text ||
	       arguments_complain(&options->common, "--to TARGET is needed, such as \"mail:25\"");
}

bool redirect_options_parse(struct options *options, int argc, char *argv[], int *ret_status)
{
	static const struct arguments_syntax syntax = { usage_text, long_options, parse_option };
	*options = (struct options){
		.common = { .program = "fdsup-redirect", .queue_fd = -1 },
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
	};
	return arguments_parse(&options->common, &syntax, options, argc, argv, ret_status) &&
	       arguments_check_queue(&options->common, argc - optind, argv + optind) &&
	       check(options);
}
