#include "supervisor/death_record.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "policy/core_file.h"
#include "policy/health.h"
#include "supervisor/acceptor.h"
#include "supervisor/capture.h"
#include "supervisor/command_line.h"
#include "supervisor/service.h"
#include "supervisor/supervisor.h"

enum { LINES_SHOWN = 20, LINE_SHOWN_SIZE = 200 };

static json_t *last_lines(const struct service *service)
{
	json_t *array = json_array();
	const struct kept_lines *lines = capture_lines(service->capture);
	const struct kept_line *line = lines ? kept_lines_last(lines, LINES_SHOWN) : NULL;
	for (; line; line = line->newer)
		json_array_append_new(array,
			json_stringn(line->text, text_whole_length(line->text, LINE_SHOWN_SIZE)));
	return array;
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

static uint64_t core_limit(const struct service_config *config)
{
	struct rlimit limit;
	if (config->limits[LIMIT_CORE].is_given)
		return config->limits[LIMIT_CORE].soft;
	return getrlimit(RLIMIT_CORE, &limit) == 0 ? limit.rlim_cur : 0;
}

static void add_core(const struct service *service, const struct worker *worker, int status, json_t *death)
{
	char pattern[256], uses_pid[16], text[CORE_TEXT_SIZE];
	const struct account *account = worker_account(service);
	const char *uses = read_kernel("/proc/sys/kernel/core_uses_pid", uses_pid, sizeof uses_pid);
	struct core_facts facts = {
		.status = status,
		.pid = worker->pid,
		.uid = account ? account->uid : geteuid(),
		.pattern = read_kernel("/proc/sys/kernel/core_pattern", pattern, sizeof pattern),
		.uses_pid = uses && *uses == '1',
		.limit = core_limit(service->config),
		.limit_key = "limits.core",
		.program = worker->command ? worker->command : "",
		.directory = service->config->directory ? service->config->directory : "/",
	};
	bool is_there = core_explain(text, &facts);
	if (*text)
		json_object_set_new(death, is_there ? "core" : "no_core", json_string(text));
}

static int64_t milliseconds(struct timeval time)
{
	return (int64_t)time.tv_sec * 1000 + time.tv_usec / 1000;
}

static void add_usage(const struct rusage *usage, json_t *death)
{
	json_object_set_new(death, "cpu_ms",
		json_integer(milliseconds(usage->ru_utime) + milliseconds(usage->ru_stime)));
	json_object_set_new(death, "max_rss", json_integer((json_int_t)usage->ru_maxrss * 1024));
}

/* What the acceptor counts is of the service: it is this worker's where there is no other. */
static void add_connections(const struct service *service, json_t *death)
{
	if (!service->acceptor || service->n_workers)
		return;
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	uint32_t live = score_get(score->live);
	uint32_t untaken = score_get(score->waiting) + score_get(score->held);
	json_object_set_new(death, "connections", json_integer(live > untaken ? live - untaken : 0));
}

static json_t *make(const struct service *service, const char *how, uint64_t next_ms)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o}", "at", (json_int_t)clock_wall_ms(), "service",
		service->config->name, "program", worker_noun(service), "how", how, "stderr",
		last_lines(service), "next_try_ms",
		next_ms ? json_integer((json_int_t)next_ms) : json_null());
}

void death_record_exit(
	const struct service *service, const struct worker *worker, int status, uint64_t next_ms)
{
	char how[HEALTH_STATUS_SIZE];
	json_t *death = make(service, health_format_status(how, status), next_ms);
	if (!death)
		return;
	json_object_set_new(death, "pid", json_integer(worker->pid));
	json_object_set_new(death, "status", json_integer(status));
	json_object_set_new(
		death, "age_ms", json_integer((json_int_t)(clock_now_ms() - worker->started_ms)));
	json_object_set_new(death, "was_ready", json_boolean(worker->ready_ms != 0));
	add_usage(&worker->usage, death);
	add_connections(service, death);
	add_core(service, worker, status, death);
	death_list_add(&service->supervisor->deaths, death);
}

void death_record_failed_start(
	const struct service *service, const char *step, int error, uint64_t next_ms)
{
	json_t *how = json_sprintf(
		"%s not started: %s: %s", command_line_name(service->config), step, strerror(error));
	json_t *death = how ? make(service, json_string_value(how), next_ms) : NULL;
	json_decref(how);
	if (!death)
		return;
	json_object_set_new(death, "was_ready", json_false());
	json_object_set_new(death, "error", json_string(strerrorname_np(error)));
	death_list_add(&service->supervisor->deaths, death);
}
