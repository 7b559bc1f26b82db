#include "worker/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { EXIT_USAGE = 64 }; /* sysexits(3) */
enum { STOP_TIMEOUT_MS = 10000 };

static const char usage_text[] =
	"Usage: fdsup-worker [OPTION...] SOCKET COMMAND [ARG...]\n"
	"       fdsup-worker --queue FD --service NAME [OPTION...] -- PATH ARGV0 [ARG...]\n"
	"\n"
	"Runs a command for each connection that an acceptor hands over.\n"
	"\n"
	"By hand it listens for acceptors on the Unix socket SOCKET (\"@name\": abstract), and\n"
	"finds COMMAND in PATH. fdsup starts it with --queue.\n"
	"\n"
	"  --slots FD                    table of the connections in the queue\n"
	"  --stderr log|connection|null  standard error of the commands: ours, the connection, or\n"
	"                                none (default: connection by hand, log with --queue)\n"
	"  --idle-timeout MS             exit when there was nothing to do for so long\n"
	"  --stop-signal N               what commands get when we are stopped (default 15, TERM)\n"
	"  --stop-timeout MS             how long they may take then (default 10000)\n"
	"  --nofile N                    soft limit on the descriptors of a command\n"
	"  --limits NAME=SOFT:HARD[,...] resource limits of a command: nofile, nproc, as, cpu, core,\n"
	"                                data, fsize, memlock, stack; in bytes and seconds\n"
	"  --chroot DIRECTORY            root directory of the commands; COMMAND is below it\n"
	"  --directory DIRECTORY         working directory of the commands, below the root\n"
	"  --capabilities BITS           those that are kept after --chroot (default all)\n"
	"  --service NAME                FDSUP_SERVICE in the environment of the commands\n"
	"  --mode MODE                   permissions of SOCKET (default 0600)\n"
	"  --allow-uid UID               who may send connections besides root and ourselves\n"
	"  --verbose                     one line an event on standard error\n"
	"  --help, --version\n"
	"\n"
	"TERM stops the commands and then us, HUP waits until they have ended by themselves.\n";

enum option_id {
	OPTION_QUEUE = 256,
	OPTION_SLOTS,
	OPTION_SERVICE,
	OPTION_STDERR,
	OPTION_IDLE_TIMEOUT,
	OPTION_STOP_SIGNAL,
	OPTION_STOP_TIMEOUT,
	OPTION_NOFILE,
	OPTION_LIMITS,
	OPTION_CHROOT,
	OPTION_DIRECTORY,
	OPTION_CAPABILITIES,
	OPTION_MODE,
	OPTION_ALLOW_UID,
	OPTION_VERBOSE,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{ "queue", required_argument, NULL, OPTION_QUEUE },
	{ "slots", required_argument, NULL, OPTION_SLOTS },
	{ "service", required_argument, NULL, OPTION_SERVICE },
	{ "stderr", required_argument, NULL, OPTION_STDERR },
	{ "idle-timeout", required_argument, NULL, OPTION_IDLE_TIMEOUT },
	{ "stop-signal", required_argument, NULL, OPTION_STOP_SIGNAL },
	{ "stop-timeout", required_argument, NULL, OPTION_STOP_TIMEOUT },
	{ "nofile", required_argument, NULL, OPTION_NOFILE },
	{ "limits", required_argument, NULL, OPTION_LIMITS },
	{ "chroot", required_argument, NULL, OPTION_CHROOT },
	{ "directory", required_argument, NULL, OPTION_DIRECTORY },
	{ "capabilities", required_argument, NULL, OPTION_CAPABILITIES },
	{ "mode", required_argument, NULL, OPTION_MODE },
	{ "allow-uid", required_argument, NULL, OPTION_ALLOW_UID },
	{ "verbose", no_argument, NULL, OPTION_VERBOSE },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

__attribute__((format(printf, 1, 2))) static bool complain(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("fdsup-worker: ", stderr);
	vfprintf(stderr, format, args);
	fputs("\nTry \"fdsup-worker --help\".\n", stderr);
	va_end(args);
	return false;
}

static bool parse_number(const char *option, uint64_t least, uint64_t most, uint64_t *ret)
{
	char *end;
	errno = 0;
	unsigned long long number = strtoull(optarg, &end, 10);
	if (errno || end == optarg || *end || strchr(optarg, '-') || number < least ||
		number > most)
		return complain("--%s %s: a number from %llu to %llu is needed", option, optarg,
			(unsigned long long)least, (unsigned long long)most);
	*ret = number;
	return true;
}

static bool parse_stderr(enum stderr_kind *ret)
{
	if (!strcmp(optarg, "log"))
		*ret = STDERR_OURS;
	else if (!strcmp(optarg, "connection"))
		*ret = STDERR_CONNECTION;
	else if (!strcmp(optarg, "null"))
		*ret = STDERR_NULL;
	else
		return complain("--stderr %s: it is log, connection or null", optarg);
	return true;
}

static bool parse_allowed_uid(struct options *options)
{
	uint64_t uid;
	if (options->n_allowed_uids == OPTIONS_UIDS_MAX)
		return complain("--allow-uid can be given %d times", OPTIONS_UIDS_MAX);
	if (!parse_number("allow-uid", 0, UINT32_MAX - 1, &uid))
		return false;
	options->allowed_uids[options->n_allowed_uids++] = (uid_t)uid;
	return true;
}

static bool parse_option(struct options *options, int id)
{
	enum { TIMEOUT_MS_MAX = INT_MAX }; /* what poll(2) takes, 24 days */
	uint64_t number = 0;
	bool is_good = true;
	switch (id) {
	case OPTION_QUEUE:
		is_good = parse_number("queue", 3, INT_MAX, &number);
		options->queue_fd = (int)number;
		return is_good;
	case OPTION_SLOTS:
		is_good = parse_number("slots", 3, INT_MAX, &number);
		options->slots_fd = (int)number;
		return is_good;
	case OPTION_SERVICE:
		options->service = optarg;
		return true;
	case OPTION_STDERR:
		return parse_stderr(&options->stderr_kind);
	case OPTION_IDLE_TIMEOUT:
		return parse_number("idle-timeout", 0, TIMEOUT_MS_MAX, &options->idle_timeout_ms);
	case OPTION_STOP_SIGNAL:
		is_good = parse_number("stop-signal", 1, (uint64_t)SIGRTMAX, &number);
		options->stop_signal = (int)number;
		return is_good;
	case OPTION_STOP_TIMEOUT:
		return parse_number("stop-timeout", 0, TIMEOUT_MS_MAX, &options->stop_timeout_ms);
	case OPTION_NOFILE:
		is_good = parse_number("nofile", 3, INT_MAX, &number);
		options->nofile = (rlim_t)number;
		return is_good;
	case OPTION_LIMITS:
		return limits_parse(optarg, options->limits) == 0 ||
		       complain("--limits %s: limits are written like nofile=1024:4096,core=0:unlimited",
			       optarg);
	case OPTION_CHROOT:
		options->root = optarg;
		return *optarg == '/' || complain("--chroot %s: an absolute path is needed", optarg);
	case OPTION_DIRECTORY:
		options->directory = optarg;
		return *optarg == '/' || complain("--directory %s: an absolute path is needed", optarg);
	case OPTION_CAPABILITIES:
		options->is_holding = true;
		return parse_number("capabilities", 0, INT64_MAX, &options->capabilities);
	case OPTION_MODE:
		if (text_parse_mode(optarg, &options->socket_mode) < 0 ||
			options->socket_mode > 0777)
			return complain("--mode %s: permissions are written like 0660", optarg);
		return true;
	case OPTION_ALLOW_UID:
		return parse_allowed_uid(options);
	case OPTION_VERBOSE:
		options->is_verbose = true;
		return true;
	default:
		/* getopt_long has said what is wrong. */
		fputs("Try \"fdsup-worker --help\".\n", stderr);
		return false;
	}
}

static bool parse_rest(struct options *options, int n, char *argv[])
{
	if (options->queue_fd >= 0) {
		if (n < 2 || argv[0][0] != '/')
			return complain("with --queue the command is an absolute path, then its "
					"argv[0] and arguments");
		if (!options->service)
			return complain("with --queue --service NAME is needed");
		options->command = argv[0];
		options->command_argv = argv + 1;
		return true;
	}
	if (n < 1)
		return complain("the name of a Unix socket and a command are missing");
	if (n < 2)
		return complain("a command for the connections of %s is missing", argv[0]);
	options->socket_name = argv[0];
	options->command = argv[1];
	options->command_argv = argv + 1;
	return true;
}

bool options_parse(struct options *options, int argc, char *argv[], int *ret_status)
{
	bool has_stderr = false;
	int id;
	*options = (struct options){
		.queue_fd = -1,
		.slots_fd = -1,
		.stop_timeout_ms = STOP_TIMEOUT_MS,
		.stop_signal = SIGTERM,
		.nofile = RLIM_INFINITY,
		.socket_mode = 0600,
	};
	*ret_status = EXIT_USAGE;
	while ((id = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		if (id == OPTION_HELP || id == OPTION_VERSION) {
			*ret_status = 0;
			fputs(id == OPTION_HELP ? usage_text : "fdsup-worker " FDSUP_VERSION "\n",
				stdout);
			return false;
		}
		if (!parse_option(options, id))
			return false;
		has_stderr |= id == OPTION_STDERR;
	}
	if (!parse_rest(options, argc - optind, argv + optind))
		return false;
	if (!has_stderr)
		options->stderr_kind = options->queue_fd >= 0 ? STDERR_OURS : STDERR_CONNECTION;
	return true;
}
