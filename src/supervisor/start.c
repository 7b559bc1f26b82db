#include "supervisor/start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/server.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/shortage.h"
#include "process/cgroup.h"
#include "process/environment.h"
#include "supervisor/acceptor.h"
#include "supervisor/connections.h"
#include "supervisor/helpers.h"
#include "supervisor/listeners/late.h"
#include "supervisor/log/log_output.h"
#include "supervisor/pid_file.h"
#include "supervisor/published.h"
#include "supervisor/reload/reload.h"
#include "supervisor/runtime_dir.h"
#include "supervisor/service/memory_watch.h"
#include "supervisor/service/readiness.h"
#include "supervisor/service/sequence.h"
#include "supervisor/service/service.h"
#include "supervisor/service/standing_watch.h"
#include "supervisor/severing.h"
#include "supervisor/start_steps.h"
#include "supervisor/succession/keeper.h"
#include "supervisor/succession/succession.h"
#include "supervisor/succession/upgrade.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/events.h"
#include "supervisor/verbs/repeats.h"
#include "supervisor/verbs/streams.h"
#include "supervisor/verbs/verbs.h"
#include "supervisor/verbs/waits.h"
#include "supervisor/zone.h"

/* With fewer not even the acceptor can be started: measured. */
enum { LEAST_DESCRIPTORS = 40 };

/* ---- signals and orphans --------------------------------------------------------------------- */

static void on_stop_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
	(void)loop, (void)events;
	supervisor_stop(watcher->data);
}

static void on_hup(struct ev_loop *loop, ev_signal *watcher, int events)
{
	(void)loop, (void)events;
	struct supervisor *supervisor = watcher->data;
	if (supervisor->is_stopping)
		return;
	reload_request(supervisor, NULL, false);
}

/* The acceptor knows which connection it was, if it was a command. */
static void on_orphan(void *context, pid_t pid, int status, const struct rusage *usage)
{
	struct supervisor *supervisor = context;
	struct control_process message = {
		.kind = CONTROL_CHILD_ENDED,
		.pid = pid,
		.status = status,
		.cpu_us = (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000u +
			  (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec),
		.max_rss_kib = (uint64_t)usage->ru_maxrss,
	};
	for (size_t i = 0; i < supervisor->n_acceptors; i++)
		acceptor_tell(supervisor->acceptors[i], &message, -1);
}

static void on_prepare(struct ev_loop *loop, ev_prepare *watcher, int events)
{
	(void)loop, (void)events;
	struct supervisor *supervisor = watcher->data;
	if (supervisor->has_departed) {
		supervisor->has_departed = false;
		supervisor_free_departed(supervisor);
	}
	keeper_flush(supervisor);
}

static void watch_signal(struct supervisor *supervisor, ev_signal *watcher, int number,
	void (*callback)(struct ev_loop *, ev_signal *, int))
{
	ev_signal_init(watcher, callback, number);
	watcher->data = supervisor;
	ev_signal_start(supervisor->loop, watcher);
}

int start_loop(struct supervisor *supervisor)
{
	/* Not the default loop, which would reap our children itself. */
	supervisor->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!supervisor->loop) {
		log_error("cannot make an event loop: %s", strerror(errno));
		return -ENOMEM;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a log file may be at the limit for files: that is an error, no end */
	children_init(&supervisor->children, supervisor->loop);
	supervisor->children.on_orphan = on_orphan;
	supervisor->children.context = supervisor;
	watch_signal(supervisor, &supervisor->on_term, SIGTERM, on_stop_signal);
	watch_signal(supervisor, &supervisor->on_int, SIGINT, on_stop_signal);
	watch_signal(supervisor, &supervisor->on_hup, SIGHUP, on_hup);
	memory_watch_init(supervisor);
	standing_watch_init(supervisor);
	late_init(supervisor);
	sequence_init(supervisor);
	ev_prepare_init(&supervisor->departed, on_prepare);
	supervisor->departed.data = supervisor;
	ev_prepare_start(supervisor->loop, &supervisor->departed);
	return 0;
}

/* ---- what can fail --------------------------------------------------------------------------- */

int start_prepare(struct supervisor *supervisor)
{
	supervisor->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (supervisor->null_fd < 0) {
		log_error("cannot open /dev/null: %s", strerror(errno));
		return -errno;
	}
	fd_raise_limit(&supervisor->nofile); /* one that is taken over tells what it was at first */
	unsigned long nofile = sysconf(_SC_OPEN_MAX);
	if (nofile < LEAST_DESCRIPTORS) {
		log_error("the limit of open files is %lu; fdsup needs %d, and about ten more for each "
			  "service: raise it (ulimit -Hn, LimitNOFILE=)",
			nofile, LEAST_DESCRIPTORS);
		return -EMFILE;
	}
	return helpers_find_all(supervisor);
}

static int create_acceptors(struct supervisor *supervisor)
{
	uint32_t n = supervisor->config->n_acceptors;
	supervisor->acceptors = calloc(n, sizeof *supervisor->acceptors);
	if (!supervisor->acceptors)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct acceptor *acceptor = acceptor_create(supervisor, i);
		if (!acceptor) {
			int error = errno;
			log_error("cannot prepare the acceptor: %s", shortage_explain(error));
			return -error;
		}
		supervisor->acceptors[supervisor->n_acceptors++] = acceptor;
	}
	return 0;
}

static int create_services(struct supervisor *supervisor)
{
	struct config *config = supervisor->config;
	if (supervisor_reserve(supervisor, config->n_services) < 0)
		return -ENOMEM;
	while (config->n_services) {
		/* In the order of the names, as they come. */
		struct service_config *first =
			config_take_service(config, config->services[0]->name);
		builtin_ports_add(&supervisor->builtin_ports, first);
		struct service *service = service_create(supervisor, first);
		if (!service) {
			service_config_free(first);
			log_error("out of memory, or more than %d services on one acceptor; "
				  "raise the key acceptors",
				SCOREBOARD_SLOTS);
			return -ENOMEM;
		}
		supervisor_add(supervisor, service);
	}
	return 0;
}

/* All of them, so that all that is wrong is told at once. */
/* An error of all: it is more likely this fdsup that is wrong here than every one of the addresses. */
static int tell_unbound(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		char error[LISTENERS_ERROR_SIZE];
		service_unbind(service);
		if (service->config->is_enabled && service_bind(service, error) < 0)
			log_error("%s", error);
	}
	return -EADDRINUSE;
}

/* A port that another program holds takes that one away, and not all the others (late.h). */
static int bind_services(struct supervisor *supervisor)
{
	size_t n_able = 0, n_unable = 0;
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		char error[LISTENERS_ERROR_SIZE];
		if (!service->config->is_enabled)
			continue;
		int r = service_bind_some(service, error);
		if (r < 0) {
			log_error("%s", error);
			return r;
		}
		bool is_unable = *error && !service->n_listeners;
		n_unable += is_unable;
		n_able += !is_unable;
	}
	return n_unable && !n_able ? tell_unbound(supervisor) : 0;
}

static int name_instance(struct supervisor *supervisor)
{
	unsigned char bytes[sizeof supervisor->instance / 2];
	if (getrandom(bytes, sizeof bytes, 0) < 0) {
		log_error("there are no random numbers: %s", strerror(errno));
		return -errno;
	}
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(supervisor->instance + 2 * i, 3, "%02x", bytes[i]);
	supervisor->worker_programs = helpers_identity_of_workers(supervisor);
	environment_set_instance(supervisor->instance);
	return 0;
}

int start_open_admin(struct supervisor *supervisor)
{
	char error[RUNTIME_DIR_ERROR_SIZE];
	int fd;
	int r = runtime_dir_open_admin(supervisor->config, &fd, error);
	if (r < 0) {
		log_error("%s", error);
		return r;
	}
	return verbs_serve(supervisor, fd);
}

int start_lock(struct supervisor *supervisor)
{
	char error[RUNTIME_DIR_ERROR_SIZE];
	int r = runtime_dir_lock(supervisor->config, error);
	if (r < 0)
		log_error("%s", error);
	return r;
}

int start_open_log(struct supervisor *supervisor)
{
	const struct config *config = supervisor->config;
	int r = log_output_open(config);
	if (r < 0)
		log_error("cannot open the log file %s: %s; make its directory, or change log.to",
			config->log_file, log_output_explain(r));
	return r;
}

/* ---- the processes --------------------------------------------------------------------------- */

/* Before any service runs that would have to be ended if it cannot be written. */
int start_write_pid_file(struct supervisor *supervisor)
{
	return pid_file_write(supervisor->pid_file);
}

/* Before they are needed, so that they are there when the last address is bound. */
static int start_acceptors(struct supervisor *supervisor)
{
	int r = 0;
	for (size_t i = 0; i < supervisor->n_acceptors && r == 0; i++) {
		r = acceptor_start(supervisor->acceptors[i]);
		acceptor_tell_estate(supervisor->acceptors[i]);
	}
	return r;
}

/* They have been told of no service. */
static void end_acceptors(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_acceptors; i++) {
		struct child *child = &supervisor->acceptors[i]->child;
		if (!acceptor_is_running(supervisor->acceptors[i]))
			continue;
		/* With its guard, which is our child then. */
		kill(-child->pid, SIGKILL);
		while (waitpid(-child->pid, NULL, 0) > 0 || errno == EINTR)
			;
		children_remove(&supervisor->children, child);
		child->pid = 0;
	}
}

static int start_services(struct supervisor *supervisor)
{
	zone_watch(supervisor);
	size_t n_enabled = 0;
	sequence_hold(supervisor);
	for (size_t i = 0; i < supervisor->n_services; i++) {
		if (!supervisor->services[i]->config->is_enabled)
			continue;
		n_enabled++;
		sequence_start(supervisor->services[i]);
	}
	sequence_release(supervisor);
	keeper_start(supervisor);
	log_notice("fdsup %s: %zu service%s from %s", FDSUP_VERSION, n_enabled, n_enabled == 1 ? "" : "s",
		supervisor->config_path);
	return 0;
}

static int run_steps(
	struct supervisor *supervisor, int (*const steps[])(struct supervisor *), size_t n)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = steps[i](supervisor);
	if (r < 0)
		log_error("nothing was started");
	return r;
}

int start(struct supervisor *supervisor)
{
	static int (*const first[])(struct supervisor *supervisor) = {
		start_prepare, start_lock, start_open_log, start_loop,
	};
	static int (*const steps[])(struct supervisor *supervisor) = {
		succession_end_left, name_instance, create_acceptors, start_acceptors, create_services,
		bind_services, start_open_admin, readiness_open, start_write_pid_file, start_services,
	};
	int r = run_steps(supervisor, first, sizeof first / sizeof *first);
	int is_over = r == 0 ? succession_look(supervisor) : r;
	if (is_over < 0) {
		succession_leave(supervisor);
		return is_over;
	}
	r = is_over ? 0 : run_steps(supervisor, steps, sizeof steps / sizeof *steps);
	if (r < 0) {
		end_acceptors(supervisor);
		return r;
	}
	r = runtime_dir_write_pid(supervisor->started_wall_ms, supervisor->instance);
	if (r < 0)
		log_warning("cannot write fdsup.pid in %s: %s; fdsupctl finds fdsup all the same",
			supervisor->config->runtime_dir, strerror(-r));
	published_write(supervisor);
	return 0; /* what the keeper is to have it gets when everybody has been told: it takes its time */
}

/* ---- the end --------------------------------------------------------------------------------- */

static void stop_watchers(struct supervisor *supervisor)
{
	ev_signal_stop(supervisor->loop, &supervisor->on_term);
	ev_signal_stop(supervisor->loop, &supervisor->on_int);
	ev_signal_stop(supervisor->loop, &supervisor->on_hup);
	ev_prepare_stop(supervisor->loop, &supervisor->departed);
	memory_watch_stop(supervisor);
	standing_watch_stop(supervisor);
	late_stop(supervisor);
	sequence_fini(supervisor);
	zone_stop(supervisor);
	children_fini(&supervisor->children);
}

void start_undo(struct supervisor *supervisor)
{
	keeper_end(supervisor);
	if (supervisor->loop) {
		waits_end(supervisor);
		upgrade_end(supervisor);
		reload_end(supervisor);
		events_follow(NULL);
		connections_end(supervisor);
		severing_forget(supervisor);
		streams_end(supervisor);
		repeats_end(supervisor);
	}
	if (supervisor->admin)
		admin_server_destroy(supervisor->admin);
	for (size_t i = 0; i < supervisor->n_services; i++)
		service_destroy(supervisor->services[i]);
	for (size_t i = 0; i < supervisor->n_acceptors; i++)
		acceptor_destroy(supervisor->acceptors[i]);
	cgroup_leave();
	if (supervisor->loop) {
		readiness_close(supervisor);
		stop_watchers(supervisor);
		ev_loop_destroy(supervisor->loop);
	}
	if (supervisor->config)
		runtime_dir_clear(supervisor->config);
	death_list_fini(&supervisor->deaths);
	death_list_fini(&supervisor->command_deaths);
	free(supervisor->services);
	free(supervisor->acceptors);
	free(supervisor->program_path);
	free(supervisor->acceptor_path);
	free(supervisor->worker_path);
	free(supervisor->redirect_path);
	free(supervisor->builtin_path);
	free(supervisor->relay_path);
	free(supervisor->keeper_path);
	free(supervisor->reload_error);
	fd_close(&supervisor->null_fd);
	config_free(supervisor->config);
}
