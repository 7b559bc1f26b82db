#include "supervisor/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static const char usage[] =
	"usage: fdsup [-c FILE] [--background] [--pid-file FILE]\n"
	"       fdsup [-c FILE] --check | --show-config | --end\n"
	"       fdsup --help | --version\n"
	"\n"
	"  -c, --config FILE   the configuration (default /etc/fdsup.conf)\n"
	"      --check         load it, say what is wrong, and exit: 0 if nothing is\n"
	"      --show-config   print it as it takes effect, with all defaults\n"
	"      --end           end what an fdsup that was killed has left, instead of taking it over\n"
	"  -b, --background    return when all services listen, and run on in the background\n"
	"      --pid-file FILE write the process id there, for init scripts\n"
	"\n"
	"fdsup runs in the foreground. HUP reloads the configuration, TERM and INT stop everything,\n"
	"a second TERM without waiting. See fdsup(8), fdsup.conf(5) and fdsupctl(8).\n";

enum { OPTION_CHECK = 256, OPTION_SHOW_CONFIG, OPTION_PID_FILE, OPTION_ADOPT_CHECK, OPTION_END };

const struct option options_long[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "show-config", no_argument, NULL, OPTION_SHOW_CONFIG },
	{ "background", no_argument, NULL, 'b' },
	{ "pid-file", required_argument, NULL, OPTION_PID_FILE },
	{ "end", no_argument, NULL, OPTION_END },
	{ "adopt-check", no_argument, NULL, OPTION_ADOPT_CHECK },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

__attribute__((noreturn)) static void refuse(void)
{
	fputs(usage, stderr);
	exit(EX_USAGE);
}

struct options options_parse(int argc, char **argv)
{
	struct options options = { .config_path = "/etc/fdsup.conf" };
	int option;
	while ((option = getopt_long(argc, argv, "c:bhV", options_long, NULL)) != -1) {
		switch (option) {
		case 'c':
			options.config_path = optarg;
			break;
		case 'b':
			options.is_background = true;
			break;
		case OPTION_CHECK:
			options.mode = MODE_CHECK;
			break;
		case OPTION_SHOW_CONFIG:
			options.mode = MODE_SHOW_CONFIG;
			break;
		case OPTION_END:
			options.mode = MODE_END;
			break;
		case OPTION_ADOPT_CHECK:
			options.mode = MODE_ADOPT_CHECK;
			break;
		case OPTION_PID_FILE:
			options.pid_file = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EX_OK);
		case 'V':
			puts("fdsup " FDSUP_VERSION);
			exit(EX_OK);
		default:
			refuse();
		}
	}
	if (optind < argc) {
		fprintf(stderr, "fdsup: unexpected argument \"%s\"; the configuration is given with -c\n",
			argv[optind]);
		refuse();
	}
	return options;
}
