#include "supervisor/deaths/death_command.h"

#include <jansson.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "policy/core_file.h"
#include "policy/health.h"
#include "supervisor/deaths/death_details.h"
#include "supervisor/deaths/death_list.h"
#include "supervisor/log/capture.h"
#include "supervisor/service/command_line.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"
#include "wire/control.h"

enum { LINES_SHOWN = 5, TOLD_LATE_MS = 1000 };

static json_int_t number(const json_t *death, const char *field, json_int_t otherwise)
{
	const json_t *value = json_object_get(death, field);
	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

/* Whoever stops a service wants them ended. */
static bool is_wanted(const struct service *service, int status)
{
	bool is_stopping = service->state == STATE_STOPPED || service->state == STATE_DRAINING;
	return is_stopping && WIFSIGNALED(status) &&
	       (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL);
}

/*
 * When it began, or a little earlier: its end is told some time after it, and what it wrote was read
 * meanwhile. But never before its connection was there.
 */
static int64_t begin_of(const struct control_command *command)
{
	uint64_t now_ms = clock_now_ms(), accepted_ms = command->accepted_ns / 1000000;
	uint64_t since_accepted_ms = accepted_ms < now_ms ? now_ms - accepted_ms + 1 : 0;
	uint64_t age_ms = command->duration_us / 1000 + TOLD_LATE_MS;
	return clock_wall_ms() - (int64_t)(since_accepted_ms < age_ms ? since_accepted_ms : age_ms);
}

static json_t *make(const struct service *service, const struct control_command *command)
{
	char how[HEALTH_STATUS_SIZE];
	struct death_process process = {
		.pid = command->pid,
		.status = command->status,
		.program = command_line_name(service->config),
	};
	uint64_t age_ms = command->duration_us / 1000;
	health_format_status(how, command->status);
	json_t *death = death_make(service, "command", how, 0);
	if (!death)
		return NULL;
	json_object_set_new(death, "pid", json_integer(command->pid));
	json_object_set_new(death, "status", json_integer(command->status));
	json_object_set_new(death, "age_ms", json_integer((json_int_t)age_ms));
	json_object_set_new(death, "was_ready", json_true());
	death_add_client(death, service, &command->client);
	death_add_usage(death, command->cpu_us / 1000, command->max_rss_kib);
	death_add_core(death, service, &process);
	if (service->capture)
		capture_drain(service->capture);
	death_add_lines(death, service, LINES_SHOWN, begin_of(command));
	return death;
}

/* The record of those before it that ended alike becomes its own. */
static void join(struct death_list *list, json_t *death, const char *service, int status)
{
	json_t *before =
		core_is_expected(status) ? NULL : death_list_take(list, service, "status", status);
	json_int_t at = number(death, "at", 0);
	json_object_set_new(death, "times", json_integer(number(before, "times", 0) + 1));
	json_object_set_new(death, "first_at",
		json_integer(number(before, "first_at", number(before, "at", at))));
	json_object_set_new(death, "others", json_integer(number(before, "others", 0)));
	json_decref(before);
}

/* The acceptor has counted more than it has told, whatever their status was. */
static void add_others(json_t *death, uint32_t n)
{
	if (death && n)
		json_object_set_new(death, "others", json_integer(number(death, "others", 0) + n));
}

void death_command_record(const struct service *service, const struct control_command *command)
{
	struct death_list *list = &service->supervisor->command_deaths;
	const char *name = service->config->name;
	add_others(death_list_newest(list, name), command->n_untold);
	if (!command->pid || is_wanted(service, command->status))
		return;
	json_t *death = make(service, command);
	if (!death)
		return;
	join(list, death, name, command->status);
	death_list_add(list, death);
}
