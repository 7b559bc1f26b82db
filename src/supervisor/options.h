/*
 * The command line of fdsup.
 */
#ifndef FDSUP_SUPERVISOR_OPTIONS_H
#define FDSUP_SUPERVISOR_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

enum options_mode {
	MODE_RUN,
	MODE_CHECK,       /* --check: load, print what is wrong */
	MODE_END,         /* --end: what an fdsup that died has left */
	MODE_ADOPT_CHECK, /* --adopt-check: of an upgrade; see adopt.h */
	MODE_SHOW_CONFIG, /* --show-config: load, print the effective configuration */
};

struct options {
	enum options_mode mode;
	const char *config_path;
	const char *pid_file; /* NULL: none besides the one in runtime_dir */
	bool is_background;
};

/* The long options; the completion is made from them. */
extern const struct option options_long[];

/*
 * Exits itself after --help and --version (0) and after a mistake, which it explains (64, as
 * sysexits.h has it for usage).
 */
struct options options_parse(int argc, char **argv);

#endif
