#include "supervisor/service/command_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/supervisor.h"

/* A program that knows nothing of us may use select(2), which breaks above this. */
enum { PROGRAM_NOFILE = 1024 };

/* Words before the administrator's own; an option with a number has two. */
enum { OPTIONS_MAX = 22 + 2 * COMMAND_LINE_NUMBERS };

/*
 * Workers that there should always be do not leave when they are idle. While one that has the
 * listeners is replaced there are two, but it is always all of them or none.
 */
static long long idle_timeout_ms(const struct service *service, uint32_t n_others)
{
	const struct service_config *config = service->config;
	bool is_permanent = service_gets_listeners(config)
				    ? config->supervision->workers_min > 0
				    : n_others < config->supervision->workers_min;
	return is_permanent ? 0 : (long long)config->supervision->idle_timeout;
}

static const char *number(struct command_line *line, long long value)
{
	char *text = line->numbers[line->n_numbers++];
	snprintf(text, sizeof *line->numbers, "%lld", value);
	return text;
}

static size_t append(struct command_line *line, size_t n, const char *const words[], size_t n_words)
{
	for (size_t i = 0; i < n_words; i++)
		line->argv[n++] = words[i];
	return n;
}

#define APPEND(line, n, ...)                                                                       \
	append(line, n, (const char *const[]){ __VA_ARGS__ },                                      \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* The user root has all capabilities, unless the file says which. */
static size_t for_enclosure(
	const struct service_config *config, struct command_line *line, size_t n)
{
	if (!config->surroundings->chroot)
		return n;
	n = APPEND(line, n, "--chroot", config->surroundings->chroot, "--directory",
		config->surroundings->directory ? config->surroundings->directory : "/");
	if (config->account->uid != 0 || config->surroundings->capabilities)
		n = APPEND(line, n, "--capabilities",
			number(line, (long long)(config->surroundings->capabilities &
						 ~CAPABILITIES_GIVEN)));
	return n;
}

/* After the words so far: where the slots are, if there are any. */
static size_t append_slots(const struct service *service, struct command_line *line, size_t n)
{
	return service->slots_fd < 0 ? n : APPEND(line, n, "--slots", "4");
}

static void for_exec(const struct service *service, struct command_line *line)
{
	static const char *const stderr_names[] = {
		[STDERR_LOG] = "log",
		[STDERR_CONNECTION] = "connection",
		[STDERR_NULL] = "null",
	};
	const struct service_config *config = service->config;
	line->path = service->supervisor->worker_path;
	size_t n = APPEND(line, 0, "fdsup-worker", "--queue", "3", "--service", config->name, "--stderr",
		stderr_names[config->surroundings->stderr_target], "--idle-timeout",
		number(line, line->idle_timeout_ms), "--stop-signal",
		number(line, config->supervision->stop_signal), "--stop-timeout",
		number(line, (long long)config->supervision->stop_timeout), "--nofile",
		number(line, PROGRAM_NOFILE));
	if (*limits_format(line->limits, config->limits))
		n = APPEND(line, n, "--limits", line->limits);
	n = for_enclosure(config, line, n);
	n = append_slots(service, line, n);
	n = APPEND(line, n, "--", config->command_path);
	append(line, n, (const char *const *)config->command.items, config->command.n);
}

static void for_redirect(const struct service *service, struct command_line *line)
{
	line->path = service->supervisor->redirect_path;
	size_t n = APPEND(line, 0, "fdsup-redirect", "--queue", "3", "--service", service->config->name,
		"--to", service->config->to, "--idle-exit", number(line, line->idle_timeout_ms));
	append_slots(service, line, n);
}

static const char *const log_address_names[] = {
	[LOG_ADDRESS_FULL] = "full",
	[LOG_ADDRESS_PREFIX] = "prefix",
	[LOG_ADDRESS_NONE] = "none",
};

/* Its sockets begin at 3, as those of a program of type listen do. */
static void for_datagrams(const struct service *service, struct command_line *line)
{
	const struct service_config *config = service->config;
	const struct builtin_ports *ports = &service->supervisor->builtin_ports;
	size_t n = APPEND(line, 0, "fdsup-builtin", "--service", config->name, "--idle-exit",
		number(line, line->idle_timeout_ms));
	for (uint32_t i = 0; i < service->n_listeners; i++)
		n = APPEND(line, n, "--udp", number(line, 3 + i));
	for (size_t i = 0; i < ports->n; i++)
		n = APPEND(line, n, "--avoid-port", number(line, ports->numbers[i]));
	if (config->admission->rate.count)
		n = APPEND(line, n, "--udp-rate", number(line, config->admission->rate.count),
			"--udp-rate-time", number(line, config->admission->rate.per_ms),
			"--udp-burst", number(line, config->admission->rate.burst));
	if (config->supervision->log_address != LOG_ADDRESS_FULL)
		n = APPEND(line, n, "--log-address",
			log_address_names[config->supervision->log_address]);
	APPEND(line, n, builtin_name(config->builtin));
}

/* By name: an external worker must be somebody whom the administrator had in mind. */
static void for_external(const struct service *service, struct command_line *line)
{
	const struct service_config *config = service->config;
	line->path = service->supervisor->relay_path;
	size_t n = APPEND(line, 0, "fdsup-relay", "--queue", "3", "--service", config->name,
		"--worker-socket", config->worker_socket, "--idle-exit",
		number(line, line->idle_timeout_ms));
	n = append_slots(service, line, n);
	if (config->sockets->socket_uid != geteuid())
		APPEND(line, n, "--allow-uid", number(line, config->sockets->socket_uid));
}

static void for_builtin(const struct service *service, struct command_line *line)
{
	line->path = service->supervisor->builtin_path;
	if (service_answers_datagrams(service->config)) {
		for_datagrams(service, line);
		return;
	}
	size_t n = APPEND(line, 0, "fdsup-builtin", "--queue", "3", "--service", service->config->name,
		"--idle-exit", number(line, line->idle_timeout_ms));
	n = append_slots(service, line, n);
	APPEND(line, n, builtin_name(service->config->builtin));
}

static void for_command(const struct service *service, struct command_line *line)
{
	line->path = service->config->command_path;
	append(line, 0, (const char *const *)service->config->command.items,
		service->config->command.n);
}

struct command_line *command_line_create(const struct service *service, uint32_t n_others)
{
	static void (*const makers[])(const struct service *service, struct command_line *line) = {
		[SERVICE_EXEC] = for_exec,
		[SERVICE_WORKER] = for_command,
		[SERVICE_LISTEN] = for_command,
		[SERVICE_EXTERNAL] = for_external,
		[SERVICE_REDIRECT] = for_redirect,
		[SERVICE_BUILTIN] = for_builtin,
		[SERVICE_DAEMON] = for_command,
	};
	size_t n_max = OPTIONS_MAX + service->config->command.n + 1;
	struct command_line *line = calloc(1, sizeof *line + n_max * sizeof *line->argv);
	if (!line)
		return NULL;
	line->idle_timeout_ms = idle_timeout_ms(service, n_others);
	makers[service->config->type](service, line);
	return line;
}

const char *command_line_name(const struct service_config *config)
{
	if (config->type == SERVICE_REDIRECT)
		return "fdsup-redirect";
	if (config->type == SERVICE_BUILTIN)
		return "fdsup-builtin";
	if (config->type == SERVICE_EXTERNAL)
		return "fdsup-relay";
	return config->command_path;
}
