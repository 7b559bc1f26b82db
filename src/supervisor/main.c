/*
 * fdsup: from the command line to the running supervisor, and back.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "admin/server.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/shortage.h"
#include "config/pack.h"
#include "supervisor/background.h"
#include "supervisor/helpers.h"
#include "supervisor/log/log_output.h"
#include "supervisor/notify.h"
#include "supervisor/options.h"
#include "supervisor/pid_file.h"
#include "supervisor/reload/loading.h"
#include "supervisor/runtime_dir.h"
#include "supervisor/service/service.h"
#include "supervisor/start.h"
#include "supervisor/succession/adopt.h"
#include "supervisor/succession/succession.h"
#include "supervisor/supervisor.h"

static void print(void *context, const char *text)
{
	(void)context;
	fputs(text, stdout);
}

static void on_loaded(void *context, struct config *config, const struct config_errors *errors)
{
	struct config **ret_config = context;
	for (size_t i = 0; i < errors->n; i++)
		fprintf(stderr, "fdsup: %s\n", errors->items[i]);
	*ret_config = config;
}

/* To be shown as it was written: in this very process, which does nothing else. */
static struct config *load_to_show(const char *path)
{
	struct config *config = NULL;
	struct config_errors errors = { 0 };
	int r = config_load(path, &config, &errors);
	if (r < 0)
		config = NULL;
	on_loaded(&config, config, &errors);
	if (r == -ENOMEM)
		fprintf(stderr, "fdsup: out of memory\n");
	config_errors_free(&errors);
	return config;
}

static struct config *load_to_run(const char *path)
{
	struct config *config = NULL;
	int r = loading_wait(path, on_loaded, &config);
	if (r < 0)
		fprintf(stderr, "fdsup: cannot load %s: %s\n", path, shortage_explain(-r));
	return config;
}

/* The program before us has blocked them all, so that none found nobody. */
static void unblock_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* journal_knows has no context, and a process has one log. */
static struct supervisor *running;

static bool knows_service(const char *name, size_t length)
{
	for (size_t i = 0; i < running->n_services; i++) {
		const char *known = running->services[i]->config->name;
		if (strlen(known) == length && !memcmp(known, name, length))
			return true;
	}
	return false;
}

/* config NULL: another fdsup has left its own, and more. */
static int run(const struct options *options, struct config *config, char **arguments)
{
	struct supervisor supervisor = {
		.arguments = arguments,
		.config_path = options->config_path,
		.pid_file = options->pid_file,
		.config = config,
		.started_ms = clock_now_ms(),
		.started_wall_ms = clock_wall_ms(),
		.loaded_wall_ms = clock_wall_ms(),
		.null_fd = -1,
		.pack_fd = -1,
		.doubt_fd = -1,
		.kept_admin_fd = -1,
		.kept_notify_fd = -1,
	};
	int status = EXIT_FAILURE;
	srand48(time(NULL) ^ getpid());
	running = &supervisor;
	log_output_tell_services(knows_service);
	if (config)
		config->edition = ++supervisor.last_edition;
	if ((config ? start(&supervisor) : succession_after_exec(&supervisor)) == 0) {
		log_output_started();
		if (config && options->is_background && log_output_is_stderr())
			fputs("fdsup: warning: log.to is \"stderr\", which the background has not: from now on "
			      "nothing is logged; write log = { to = \"syslog\"; } or the path of a file\n",
				stderr);
		background_ready();
		notify_send("READY=1");
		unblock_signals();
		ev_run(supervisor.loop, 0);
		log_notice("stopped");
		status = EXIT_SUCCESS;
	}
	/* What could not be taken over goes on, and the next fdsup may be able to. */
	if (status == EXIT_FAILURE && !config)
		_exit(status);
	pid_file_remove();
	log_output_tell_services(NULL);
	start_undo(&supervisor);
	log_output_close();
	return status;
}

/* The program before us had the same command line. */
static int run_over(const struct options *given, char **argv)
{
	struct options options = *given;
	char *absolute = realpath(options.config_path, NULL);
	if (absolute)
		options.config_path = absolute;
	notify_init();
	int status = run(&options, NULL, argv);
	free(absolute);
	return status;
}

int main(int argc, char **argv)
{
	heap_keep_small();
	fd_open_standard();
	struct options options = options_parse(argc, argv);
	if (options.mode == MODE_ADOPT_CHECK) {
		int status = adopt_check();
		fflush(stdout);
		_exit(status); /* what it has made up is not to be undone */
	}
	if (adopt_is_asked() && options.mode == MODE_RUN)
		return run_over(&options, argv);
	/* What whoever started us had open is not for our programs (CVE-2002-0871). */
	fd_close_from(background_keep() ? 4 : 3);
	/* A reload must find it wherever it was started from. */
	char *absolute = realpath(options.config_path, NULL);
	if (absolute && options.mode == MODE_RUN)
		options.config_path = absolute;
	struct config *config = options.mode == MODE_RUN ? load_to_run(options.config_path)
							 : load_to_show(options.config_path);
	if (!config) {
		free(absolute);
		return EXIT_FAILURE;
	}
	if (options.mode == MODE_END) {
		struct supervisor supervisor = { .config = config, .doubt_fd = -1 };
		int r = succession_end(&supervisor);
		config_free(config);
		free(absolute);
		return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	if (options.mode == MODE_SHOW_CONFIG)
		config_show(config, print, NULL);
	for (size_t i = 0; options.mode == MODE_CHECK && i < config->warnings.n; i++)
		fprintf(stderr, "fdsup: warning: %s\n", config->warnings.items[i]);
	if (options.mode == MODE_CHECK)
		printf("%s: %zu service%s, no errors\n", options.config_path, config->n_services,
			config->n_services == 1 ? "" : "s");
	if (options.mode != MODE_RUN) {
		config_free(config);
		free(absolute);
		return EXIT_SUCCESS;
	}
	if (options.is_background)
		background_enter();
	pack_keep_from_children(config->pack);
	notify_init();
	int status = run(&options, config, argv);
	free(absolute);
	return status;
}
