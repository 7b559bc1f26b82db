#include "supervisor/deaths/death_details.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "policy/core_file.h"
#include "supervisor/log/capture.h"
#include "supervisor/service/service.h"
#include "wire/control.h"

enum { LINE_SHOWN_SIZE = 200 };

json_t *death_make(
	const struct service *service, const char *program, const char *how, uint64_t next_ms)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:o}", "at", (json_int_t)clock_wall_ms(), "service",
		service->config->name, "program", program, "how", how, "next_try_ms",
		next_ms ? json_integer((json_int_t)next_ms) : json_null());
}

void death_add_lines(json_t *death, const struct service *service, unsigned n, int64_t since)
{
	json_t *array = json_array();
	const struct kept_lines *lines = capture_lines(service->capture);
	const struct kept_line *line = lines ? kept_lines_last(lines, n) : NULL;
	for (; line; line = line->newer)
		if (line->at >= since)
			json_array_append_new(array,
				json_stringn(line->text, text_whole_length(line->text, LINE_SHOWN_SIZE)));
	json_object_set_new(death, "stderr", array);
}

/* The first line of a file of the kernel. */
static const char *read_kernel(const char *path, char *text, size_t size)
{
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (n < 0)
		return NULL;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	return text;
}

static void find_limit(
	const struct service_config *config, const struct death_process *process, struct core_facts *facts)
{
	struct rlimit limit;
	facts->limit_key = process->has_limits_of_fdsup
				   ? "that of fdsup (ulimit -c, LimitCORE of its unit)"
				   : "limits.core";
	if (config->limits[LIMIT_CORE].is_given && !process->has_limits_of_fdsup)
		facts->limit = config->limits[LIMIT_CORE].soft;
	else
		facts->limit = getrlimit(RLIMIT_CORE, &limit) == 0 ? limit.rlim_cur : 0;
}

void death_add_core(json_t *death, const struct service *service, const struct death_process *process)
{
	char pattern[256], uses_pid[16], text[CORE_TEXT_SIZE];
	const struct account *account = worker_account(service);
	const char *uses = read_kernel("/proc/sys/kernel/core_uses_pid", uses_pid, sizeof uses_pid);
	struct core_facts facts = {
		.status = process->status,
		.pid = process->pid,
		.uid = account ? account->uid : geteuid(),
		.pattern = read_kernel("/proc/sys/kernel/core_pattern", pattern, sizeof pattern),
		.uses_pid = uses && *uses == '1',
		.program = process->program ? process->program : "",
		.directory = service->config->surroundings->directory
				     ? service->config->surroundings->directory
				     : "/",
	};
	find_limit(service->config, process, &facts);
	bool is_there = core_explain(text, &facts);
	if (*text)
		json_object_set_new(death, is_there ? "core" : "no_core", json_string(text));
}

void death_add_client(
	json_t *object, const struct service *service, const struct control_client *client)
{
	char peer[ENDPOINT_TEXT_SIZE], id[24];
	snprintf(id, sizeof id, "%016" PRIx64, client->connection);
	endpoint_format_client(peer, &client->peer, service->config->supervision->log_address);
	json_object_set_new(object, "connection", json_string(id));
	json_object_set_new(object, "client", json_string(peer));
}

void death_add_usage(json_t *death, uint64_t cpu_ms, uint64_t max_rss_kib)
{
	json_object_set_new(death, "cpu_ms", json_integer((json_int_t)cpu_ms));
	json_object_set_new(death, "max_rss", json_integer((json_int_t)(max_rss_kib * 1024)));
}
