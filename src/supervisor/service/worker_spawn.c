#include "supervisor/service/worker_spawn.h"

#include <errno.h>

#include "base/capability.h"
#include "base/fd.h"
#include "base/log.h"
#include "process/cgroup.h"
#include "process/environment.h"
#include "process/sandbox.h"
#include "process/spawn.h"
#include "supervisor/log/capture.h"
#include "supervisor/service/command_line.h"
#include "supervisor/service/service.h"
#include "supervisor/service/worker.h"
#include "supervisor/supervisor.h"

/* A program that knows nothing of us may use select(2), which breaks above this. */
enum { PROGRAM_NOFILE = 1024 };

/* Our own programs but fdsup-worker need no rights at all, as the acceptor. */
const struct account *worker_account(const struct service *service)
{
	const struct service_config *config = service->config;
	return config->type == SERVICE_REDIRECT || config->type == SERVICE_BUILTIN
		       ? &service->supervisor->config->acceptor_account
		       : config->account;
}

/*
 * From descriptor 3, as sd_listen_fds(3) has it and command_line.c tells our own; or, as inetd, the
 * one socket as 0 and 1.
 */
static void hand_sockets_over(const struct service *service, struct spawn_request *request)
{
	if (service->config->is_inetd && service->n_listeners) {
		int fd = service->listeners[0].fd;
		request->descriptors[0].from = request->descriptors[1].from = fd;
		if (service->config->surroundings->stderr_target == STDERR_CONNECTION)
			request->descriptors[2].from = fd;
		return;
	}
	for (uint32_t i = 0; i < service->n_listeners && i < LISTEN_SOCKETS_MAX; i++)
		request->descriptors[request->n_descriptors++] =
			(struct spawn_descriptor){ service->listeners[i].fd, 3 + (int)i };
	request->pid_text = environment_listen_pid((char **)request->envp);
}

/*
 * Exactly those of the file. Who may not take the others from what the program executes sees to it in
 * another way that they have no effect.
 *
 * fdsup-worker changes the root directory itself, since it is not below it; until then it has what that
 * takes (worker/enclosure.h).
 */
static void confine_rights(const struct service_config *config, struct spawn_request *request)
{
	bool is_given = config->surroundings->capabilities & CAPABILITIES_GIVEN;
	bool is_enclosing = config->type == SERVICE_EXEC && config->surroundings->chroot;
	bool is_root = request->account && request->account->uid == 0;
	uint64_t permitted = capability_permitted();
	request->capabilities = config->surroundings->capabilities & ~CAPABILITIES_GIVEN;
	request->is_holding = is_given || (is_enclosing && !is_root);
	request->is_bounded = is_given && permitted & CAPABILITY_BIT(CAPABILITY_SETPCAP);
	request->no_new_privileges |= is_given && !request->is_bounded;
	request->root = is_enclosing ? NULL : config->surroundings->chroot;
	if (!is_enclosing)
		return;
	request->directory = NULL;
	request->capabilities |= CAPABILITY_BIT(CAPABILITY_SYS_CHROOT);
	if (request->is_bounded)
		request->capabilities |= CAPABILITY_BIT(CAPABILITY_SETPCAP);
}

static void tell_what_is_missing(void)
{
	const char *text = sandbox_lacks();
	if (text)
		log_warning("%s", text);
}

pid_t worker_spawn(struct service *service, const struct command_line *line, int ready_fd,
	const char **ret_step)
{
	const struct service_config *config = service->config;
	/* What fdsup-worker has to say itself is none of what its commands write. */
	bool is_logged = config->surroundings->stderr_target != STDERR_NULL ||
			 service_type_is_ours(config->type);
	struct capture *capture = is_logged ? service_capture(service) : NULL;
	char **environment = service_environment(service);
	*ret_step = "pipe";
	if (is_logged && !capture)
		return -errno;
	*ret_step = "environment";
	if (!environment)
		return -ENOMEM;
	int null_fd = service->supervisor->null_fd;
	int output_fd = capture ? capture_write_end(capture) : null_fd;
	struct spawn_request request = {
		.path = line->path,
		.argv = (char *const *)line->argv,
		.envp = environment,
		.account = worker_account(service),
		.directory = config->surroundings->directory,
		.umask = config->surroundings->umask,
		.nice = config->surroundings->nice,
		/* A command inherits it from fdsup-worker. Our other programs execute nothing. */
		.no_new_privileges = config->surroundings->has_no_new_privileges ||
				     !service_type_runs_command(config->type),
		.descriptors = { { null_fd, 0 }, { output_fd, 1 }, { output_fd, 2 } },
		.n_descriptors = 3,
	};
	if (config->surroundings->chroot || config->surroundings->capabilities)
		confine_rights(config, &request);
	if (service->queue[1] >= 0)
		request.descriptors[request.n_descriptors++] =
			(struct spawn_descriptor){ service->queue[1], 3 };
	if (service->slots_fd >= 0)
		request.descriptors[request.n_descriptors++] = (struct spawn_descriptor){
			service->slots_fd, environment_slots_fd(config) };
	if (service_gets_listeners(config))
		hand_sockets_over(service, &request);
	if (ready_fd >= 0)
		request.descriptors[request.n_descriptors++] =
			(struct spawn_descriptor){ ready_fd, environment_ready_fd(config, service->n_listeners) };
	if (!service_type_is_ours(config->type))
		request.nofile = PROGRAM_NOFILE;
	if (service_type_runs_command(config->type))
		request.limits = config->limits;
	/* A limit that is meant for a command must not starve what serves all of them. */
	request.is_leaving_limits = config->type == SERVICE_EXEC;
	struct sandbox_rules sandbox;
	int r = sandbox_make(&sandbox, config, line->path, ret_step);
	if (r < 0)
		return r;
	tell_what_is_missing();
	request.sandbox = &sandbox;
	request.no_new_privileges |= config->surroundings->sandbox != SANDBOX_NONE;
	fd_auto int cgroup_fd = -1;
	if (service_has_cgroup(config)) {
		cgroup_fd = request.cgroup_fd = cgroup_open(config, ret_step);
		service->has_cgroup |= cgroup_fd >= 0;
	}
	pid_t pid = request.cgroup_fd < 0 ? request.cgroup_fd : spawn(&request, ret_step);
	sandbox_fini(&sandbox);
	return pid;
}
