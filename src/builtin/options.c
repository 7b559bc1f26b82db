#include "builtin/options.h"

#include <limits.h>
#include <string.h>

enum { UDP_RATE = 100, UDP_RATE_MAX = 1000000, UDP_RATE_TIME_MS = 1000 };

static const char usage_text[] =
	"Usage: fdsup-builtin --queue FD --service NAME [OPTION...] PROTOCOL\n"
	"       fdsup-builtin --udp FD --service NAME [OPTION...] PROTOCOL\n"
	"\n"
	"Serves echo, discard, chargen, daytime or time: by TCP the connections that an acceptor\n"
	"hands over, by UDP what arrives on a bound socket. fdsup starts it for services of type\n"
	"builtin.\n"
	"\n"
	"  --idle-timeout MS  end a connection on which nothing moved for so long (default 0: "
	"never)\n"
	"  --idle-exit MS     exit when there was nothing to do for so long (default 0: never)\n"
	"  --udp-rate N       answers by UDP a second, at most (default 100)\n"
	"  --udp-rate-time MS so many in this time instead of a second\n"
	"  --udp-burst N      so many at once (default: as --udp-rate)\n"
	"  --avoid-port PORT  UDP port of another small service, never answered\n"
	"  --log-address HOW  of senders in messages: full, prefix or none\n"
	"  --slots FD         table of the connections in the queue\n"
	"  --verbose          one line an event on standard error\n"
	"  --help, --version\n"
	"\n"
	"TERM ends the connections and then us, HUP waits until they have ended by themselves.\n";

enum option_id {
	OPTION_UDP = ARGUMENT_OWN,
	OPTION_UDP_RATE,
	OPTION_UDP_RATE_TIME,
	OPTION_UDP_BURST,
	OPTION_AVOID_PORT,
	OPTION_LOG_ADDRESS,
};

static const struct option long_options[] = {
	ARGUMENTS_COMMON,
	{ "udp", required_argument, NULL, OPTION_UDP },
	{ "udp-rate", required_argument, NULL, OPTION_UDP_RATE },
	{ "udp-rate-time", required_argument, NULL, OPTION_UDP_RATE_TIME },
	{ "udp-burst", required_argument, NULL, OPTION_UDP_BURST },
	{ "avoid-port", required_argument, NULL, OPTION_AVOID_PORT },
	{ "log-address", required_argument, NULL, OPTION_LOG_ADDRESS },
	{ NULL, 0, NULL, 0 },
};

static bool parse_udp(struct options *options)
{
	uint64_t number;
	if (options->n_udp == OPTIONS_UDP_MAX)
		return arguments_complain(
			&options->common, "--udp can be given %d times", OPTIONS_UDP_MAX);
	if (!arguments_number(&options->common, "udp", 3, INT_MAX, &number))
		return false;
	options->udp_fds[options->n_udp++] = (int)number;
	return true;
}

static bool parse_avoided(struct options *options)
{
	struct caution *caution = &options->caution;
	uint64_t number;
	if (!arguments_number(&options->common, "avoid-port", 1, UINT16_MAX, &number))
		return false;
	if (caution->n_ports == CAUTION_PORTS_MAX)
		return arguments_complain(
			&options->common, "--avoid-port can be given %d times", CAUTION_PORTS_MAX);
	caution->ports[caution->n_ports++] = (uint16_t)number;
	return true;
}

static bool parse_log_address(struct options *options)
{
	static const char *const names[] = {
		[LOG_ADDRESS_FULL] = "full",
		[LOG_ADDRESS_PREFIX] = "prefix",
		[LOG_ADDRESS_NONE] = "none",
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(optarg, names[i]) != 0)
			continue;
		options->log_address = (enum log_address)i;
		return true;
	}
	return arguments_complain(
		&options->common, "--log-address %s: it is full, prefix or none", optarg);
}

static bool parse_option(void *context, int id)
{
	struct options *options = context;
	switch (id) {
	case OPTION_UDP:
		return parse_udp(options);
	case OPTION_UDP_RATE:
		return arguments_number(
			&options->common, "udp-rate", 1, UDP_RATE_MAX, &options->udp_rate);
	case OPTION_UDP_RATE_TIME:
		return arguments_number(&options->common, "udp-rate-time", 1, ARGUMENT_MS_MAX,
			&options->udp_rate_time_ms);
	case OPTION_UDP_BURST:
		return arguments_number(
			&options->common, "udp-burst", 1, UDP_RATE_MAX, &options->udp_burst);
	case OPTION_LOG_ADDRESS:
		return parse_log_address(options);
	default:
		return parse_avoided(options);
	}
}

static bool parse_rest(struct options *options, int n, char *rest[])
{
	const struct arguments *common = &options->common;
	if (common->queue_fd < 0 && options->n_udp == 0)
		return arguments_complain(common, "--queue FD or --udp FD is needed: fdsup gives "
						  "its workers their sockets");
	if (n != 1)
		return arguments_complain(
			common, "one of echo, discard, chargen, daytime and time is needed");
	if (!protocol_from_name(rest[0], &options->protocol))
		return arguments_complain(
			common, "%s is none of echo, discard, chargen, daytime and time", rest[0]);
	return true;
}

bool builtin_options_parse(struct options *options, int argc, char *argv[], int *ret_status)
{
	static const struct arguments_syntax syntax = { usage_text, long_options, parse_option };
	*options = (struct options){
		.common = { .program = "fdsup-builtin", .queue_fd = -1 },
		.udp_rate = UDP_RATE,
		.udp_rate_time_ms = UDP_RATE_TIME_MS,
	};
	return arguments_parse(&options->common, &syntax, options, argc, argv, ret_status) &&
	       parse_rest(options, argc - optind, argv + optind);
}
