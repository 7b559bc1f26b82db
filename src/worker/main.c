/*
 * fdsup-worker: runs a command for each connection that is handed to it.
 *
 * Under the supervisor it already is the service's user, with everything set up that the commands
 * inherit. By hand it needs no supervisor, no configuration and no rights.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "wire/slots.h"
#include "worker/classic.h"
#include "worker/enclosure.h"
#include "worker/inherited.h"
#include "worker/options.h"
#include "worker/program.h"
#include "worker/queue.h"
#include "worker/serve.h"

extern char **environ;

union any_source {
	struct source source;
	struct queue queue;
	struct classic classic;
};

/* By hand a line says whose it is: commands may write to the same terminal. */
static void write_named(int level, const char *line, size_t length)
{
	(void)level;
	(void)length;
	dprintf(STDERR_FILENO, "fdsup-worker: %s\n", line);
}

static bool open_queue(struct queue *queue, int fd)
{
	int r = queue_open(queue, fd);
	if (r < 0)
		log_error("--queue %d: %s: it must be the workers' end of a queue, which fdsup "
			  "gives to its workers; by hand give a socket name and a command",
			fd, r == -EPROTOTYPE ? "not a SOCK_SEQPACKET Unix socket" : strerror(-r));
	return r == 0;
}

static bool plan_stderr(struct spawn_plan *plan, enum stderr_kind kind)
{
	plan->stderr_fd = kind == STDERR_CONNECTION ? SPAWN_STDERR_CONNECTION : SPAWN_STDERR_OURS;
	if (kind != STDERR_NULL)
		return true;
	plan->stderr_fd = open("/dev/null", O_RDWR | O_CLOEXEC); /* for as long as we live */
	if (plan->stderr_fd < 0)
		log_error("--stderr null: /dev/null: %s: it must exist", strerror(errno));
	return plan->stderr_fd >= 0;
}

/* A hard limit below what was asked for is no reason to serve nobody. */
static void plan_nofile(struct spawn_plan *plan, rlim_t soft)
{
	if (soft == RLIM_INFINITY || getrlimit(RLIMIT_NOFILE, &plan->nofile) < 0)
		return;
	if (soft > plan->nofile.rlim_max) {
		log_warning("--nofile %llu is above the hard limit: commands get that, %llu",
			(unsigned long long)soft, (unsigned long long)plan->nofile.rlim_max);
		soft = plan->nofile.rlim_max;
	}
	plan->has_nofile = plan->nofile.rlim_cur != soft;
	plan->nofile.rlim_cur = soft;
}

/* Whoever starts us raises what must be raised: a limit that cannot be set is not left out silently. */
static bool plan_limits(struct spawn_plan *plan, const struct resource_limit limits[LIMIT_KINDS])
{
	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++) {
		struct rlimit now, wanted = limit_values(&limits[kind]);
		plan->limits[kind] = limits[kind];
		if (!limits[kind].is_given)
			continue;
		plan->has_limits = true;
		if (getrlimit(limit_resource(kind), &now) == 0 && wanted.rlim_max > now.rlim_max) {
			log_error("--limits: %s is above our own hard limit; write at most %llu",
				limit_name(kind), (unsigned long long)now.rlim_max);
			return false;
		}
	}
	return true;
}

/* What it is good for works without it, but less well: no reason to serve nobody. */
static void map_slots(struct slots *slots, int fd)
{
	int r = fd >= 0 ? slots_map(fd, slots) : 0;
	if (r < 0)
		log_error("--slots %d: %s: connections are served without", fd,
			r == -EINVAL ? "no table of slots" : strerror(-r));
	fd_close(&fd);
}

static char *find_command(const struct options *options)
{
	/* A path there is below another root. */
	return options->queue_fd >= 0 || options->root ? strdup(options->command) : program_find(options->command);
}

static bool open_source(union any_source *any, const struct options *options)
{
	return options->queue_fd >= 0 ? open_queue(&any->queue, options->queue_fd)
				      : classic_open(&any->classic, options);
}

static int run(const struct options *options, const char *command)
{
	struct spawn_plan plan = { .path = command, .argv = options->command_argv };
	union any_source any;
	struct slots slots = { 0 };
	fd_auto int signal_fd = serve_open_signals();
	if (signal_fd < 0) {
		log_error("cannot set up signals: %s", strerror(-signal_fd));
		return EXIT_FAILURE;
	}
	plan_nofile(&plan, options->nofile);
	if (!plan_limits(&plan, options->limits) || !plan_stderr(&plan, options->stderr_kind) || !open_source(&any, options))
		return EXIT_FAILURE;
	map_slots(&slots, options->slots_fd);
	/* What is opened by a name has been opened. */
	if (!enclosure_enter(options)) {
		any.source.methods->close(&any.source);
		return EXIT_FAILURE;
	}
	int r = serve(options, &plan, &any.source, &slots, signal_fd, environ);
	any.source.methods->close(&any.source);
	if (r < 0)
		log_error("cannot begin to serve: %s", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	struct options options;
	int status;
	if (!options_parse(&options, argc, argv, &status))
		return status;
	if (options.queue_fd >= 0)
		log_to_supervisor();
	else
		log_set_sink(write_named);
	log_set_level(options.is_verbose ? LOG_INFO : LOG_NOTICE);
	int r = inherited_tidy();
	if (r < 0) {
		log_error("cannot set up descriptors: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	char *command = find_command(&options);
	status = command ? run(&options, command) : EXIT_FAILURE;
	free(command);
	return status;
}
