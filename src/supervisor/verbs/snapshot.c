#include "supervisor/verbs/snapshot.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/unix_queue.h"
#include "supervisor/acceptor.h"
#include "supervisor/log/capture.h"
#include "supervisor/log/log_output.h"
#include "supervisor/service/command_line.h"
#include "supervisor/service/service.h"
#include "supervisor/service/standing_watch.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/named.h"
#include "supervisor/verbs/snapshot_limits.h"
#include "wire/handoff.h"

enum { LAST_WORDS_SHOWN = 5 };

json_t *snapshot_lines(const struct health *health)
{
	json_t *lines = json_array();
	for (size_t i = 0; i < health->n_lines; i++)
		json_array_append_new(lines, json_string(health->lines[i]));
	return lines;
}

static json_t *string_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *used(uint32_t number, uint32_t limit)
{
	return json_pack("{s:i, s:i}", "used", number, "limit", limit);
}

/* The part of the kernel that is missing, for people; NULL: none, or it is not wanted. */
static const char *ledger_missing(const struct acceptor *acceptor, uint32_t parts)
{
	if (acceptor->supervisor->config->ledger != LEDGER_BY_KERNEL || !acceptor->is_ready)
		return NULL;
	if (!(parts & SCORE_LEDGER_LOOK_UPS))
		return "the kernel's answers about connections (modules inet_diag and tcp_diag)";
	if (!(parts & SCORE_LEDGER_NOTICES))
		return "the kernel's notices of their ends (NETLINK_SOCK_DIAG)";
	return NULL;
}

static json_t *acceptors(const struct supervisor *supervisor)
{
	json_t *array = json_array();
	uint64_t now_ms = clock_now_ms();
	for (size_t i = 0; i < supervisor->n_acceptors; i++) {
		const struct acceptor *acceptor = supervisor->acceptors[i];
		bool is_running = acceptor_is_running(acceptor);
		uint32_t parts = score_get(acceptor->board->head.ledger_parts);
		const char *ledger = parts & SCORE_LEDGER_NOTICES ? "kernel" : "reports";
		char sandbox[CONFINEMENT_TEXT_SIZE], missing[CONFINEMENT_TEXT_SIZE];
		confinement_format(sandbox, &acceptor->confinement);
		confinement_format_missing(missing, &acceptor->confinement);
		json_array_append_new(array,
			json_pack("{s:o, s:i, s:I, s:s?, s:s?, s:s?, s:b, s:s?}", "pid",
				is_running ? json_integer(acceptor->child.pid) : json_null(), "restarts",
				acceptor->n_restarts, "uptime_ms",
				is_running ? (json_int_t)(now_ms - acceptor->started_ms) : 0,
				"sandbox", acceptor->is_ready ? sandbox : NULL, "sandbox_missing",
				acceptor->is_ready && *missing ? missing : NULL, "ledger",
				acceptor->is_ready ? ledger : NULL, "ledger_asked",
				(parts & SCORE_LEDGER_ASKED) != 0, "ledger_missing",
				ledger_missing(acceptor, parts)));
	}
	return array;
}

static json_t *describe_daemon(const struct supervisor *supervisor)
{
	return json_pack("{s:s, s:i, s:I, s:s, s:I, s:o, s:s?, s:o, s:b, s:o, s:i}", "version", FDSUP_VERSION, "pid",
		(int)getpid(), "uptime_ms", (json_int_t)(clock_now_ms() - supervisor->started_ms),
		"config_file", supervisor->config_path, "loaded_at",
		(json_int_t)supervisor->loaded_wall_ms, "reload_error",
		string_or_null(supervisor->reload_error), "log_trouble", log_output_trouble(), "acceptors",
		acceptors(supervisor),
		"stopping", supervisor->is_stopping, "taken_over_at",
		supervisor->taken_over_wall_ms ? json_integer((json_int_t)supervisor->taken_over_wall_ms)
					       : json_null(),
		"upgrades", (int)supervisor->n_upgrades);
}

static json_t *listen_texts(const struct service *service)
{
	json_t *array = json_array();
	for (size_t i = 0; i < service->config->n_listen; i++) {
		const struct listen_address *where = &service->config->listen[i];
		char address[LISTEN_TEXT_SIZE];
		json_array_append_new(array,
			json_sprintf("%s %s", listen_protocol_name(service->config, where),
				listen_address_format(address, where)));
	}
	return array;
}

/* Of these addresses, those that are not there yet. */
static json_t *missing_texts(const struct service *service)
{
	json_t *array = json_array();
	for (size_t i = 0; i < service->config->n_listen && service->listeners; i++) {
		const struct listen_address *where = &service->config->listen[i];
		char address[LISTEN_TEXT_SIZE];
		bool is_bound = false;
		for (uint32_t k = 0; k < service->n_listeners; k++)
			is_bound |= listen_address_is_same(&service->listeners[k].where, where);
		if (!is_bound)
			json_array_append_new(array,
				json_sprintf("%s %s", listen_protocol_name(service->config, where),
					listen_address_format(address, where)));
	}
	return array;
}

static json_t *last_words(const struct service *service)
{
	json_t *array = json_array();
	for (unsigned i = LAST_WORDS_SHOWN; i-- > 0;) {
		const char *line = capture_last_line(service->capture, i);
		if (line)
			json_array_append_new(array, json_string(line));
	}
	return array;
}

static void add_count(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

/* What the acceptor counts; zeros for a service without one. */
static void add_score(const struct service *service, json_t *object, uint64_t now_ns)
{
	static const struct score none;
	const struct score *score =
		service->acceptor ? acceptor_score(service->acceptor, service->slot) : &none;
	int depth = service->queue[1] >= 0 ? handoff_queue_depth(service->queue[1]) : 0;
	json_object_set_new(object, "connections",
		used(score_get(score->live),
			service->acceptor ? service->config->admission->max_connections : 0));
	json_object_set_new(object, "queue",
		used((uint32_t)(depth < 0 ? 0 : depth) + score_get(score->held),
			service->acceptor ? service->config->supervision->queue : 0));
	json_object_set_new(object, "rate", json_real(score_rate(score, now_ns)));
	add_count(object, "accepted", score_get(score->accepted));
	add_count(object, "served", score_get(score->served));
	add_count(object, "failed", score_get(score->failed));
	add_count(object, "refused", score_get(score->refused));
	add_count(object, "lost", score_get(score->lost));
	add_count(object, "redelivered", score_get(score->redelivered));
	add_count(object, "lapsed", score_get(score->lapsed));
	add_count(object, "uncovered", score_get(score->uncovered));
}

static json_t *describe_service(struct service *service)
{
	const struct service_config *config = service->config;
	uint64_t now_ns = clock_now_ns();
	uint64_t now_ms = now_ns / 1000000;
	struct health health;
	standing_watch_judge(service, &health);
	json_t *object = json_pack("{s:s, s:o, s:s, s:s, s:b, s:b, s:I, s:o, s:o, s:o, s:o}",
		"name", config->name, "description", string_or_null(config->description), "type",
		service_type_name(config->type), "state", service_state_name(health.state),
		"healthy", health.is_healthy, "wanted", service->is_wanted, "since_ms",
		(json_int_t)(now_ms - service->standing.since_ms), "listen", listen_texts(service),
		"workers", used(service->n_working, config->supervision->workers_max),
		"explanation", snapshot_lines(&health), "last_words", last_words(service));
	if (!object)
		return NULL;
	json_object_set_new(object, "missing", missing_texts(service));
	add_score(service, object, now_ns);
	json_object_set_new(object, "limits", snapshot_limits(service, now_ns));
	add_count(object, "deaths", service->n_deaths);
	add_count(object, "restarts", service->n_restarts);
	json_object_set_new(object, "next_try_ms",
		service->next_try_ms > now_ms
			? json_integer((json_int_t)(service->next_try_ms - now_ms))
			: json_null());
	return object;
}

json_t *snapshot_status(const struct supervisor *supervisor, const json_t *names)
{
	json_t *array = json_array();
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (is_asked_for(names, supervisor->services[i]->config->name))
			json_array_append_new(array, describe_service(supervisor->services[i]));
	return json_pack("{s:o, s:o}", "services", array, "daemon", describe_daemon(supervisor));
}

static json_t *paused_reasons(const struct service *service)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} reasons[] = {
		{ SCORE_PAUSED_FULL, "max_connections" },
		{ SCORE_PAUSED_RATE, "rate" },
		{ SCORE_PAUSED_QUEUE, "queue" },
		{ SCORE_PAUSED_HELD, "max_per_source" },
		{ SCORE_PAUSED_DESCRIPTORS, "descriptors" },
		{ SCORE_PAUSED_ADMIN, "paused" },
	};
	json_t *array = json_array();
	if (!service->acceptor)
		return array;
	uint32_t paused = score_get(acceptor_score(service->acceptor, service->slot)->paused);
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (paused & reasons[i].bit)
			json_array_append_new(array, json_string(reasons[i].name));
	return array;
}

/* What has been handed off and not been taken; null without a queue of ours. */
static void add_queue(const struct service *service, json_t *object)
{
	uint64_t now_ns = clock_now_ns(), oldest_ns = 0;
	int depth = service->acceptor ? 0 : -1;
	if (service->acceptor && service->queue[1] >= 0)
		depth = handoff_queue_depth(service->queue[1]);
	if (depth > 0)
		oldest_ns = score_get(acceptor_score(service->acceptor, service->slot)->oldest_waiting_ns);
	bool is_known = oldest_ns && oldest_ns <= now_ns;
	json_object_set_new(object, "queue", depth < 0 ? json_null() : json_integer(depth));
	json_object_set_new(object, "oldest_ms",
		is_known ? json_integer((json_int_t)((now_ns - oldest_ns) / 1000000)) : json_null());
}

void snapshot_add_listeners(const struct service *service, json_t *array)
{
	for (uint32_t i = 0; i < service->n_listeners; i++) {
		const struct listener *listener = &service->listeners[i];
		char address[LISTEN_TEXT_SIZE];
		unsigned waiting, backlog, drops;
		/* A Unix socket has the number as well, and never counts. */
		bool has_drops = !listener->where.path && listener_drops(listener->fd, &drops) == 0;
		bool is_known = (listener->where.path ? unix_queue(listener->fd, &waiting, &backlog)
						      : listener_queue(listener->fd, &waiting, &backlog)) == 0;
		listen_address_format(address, &listener->where);
		json_t *object =
			json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:i}", "service", service->config->name,
				"protocol", listen_protocol_name(service->config, &listener->where), "local", address,
				"accept_queue",
				is_known ? json_integer(waiting) : json_null(), "backlog",
				is_known ? json_integer(backlog) : json_null(), "drops",
				has_drops ? json_integer(drops) : json_null(), "paused",
				paused_reasons(service), "acceptor",
				service->acceptor ? (int)service->acceptor->number + 1 : 0);
		if (!object)
			continue;
		add_queue(service, object);
		json_array_append_new(array, object);
	}
}

void snapshot_add_workers(const struct service *service, json_t *array)
{
	const struct service_config *config = service->config;
	const struct account *account = worker_account(service);
	uint64_t now_ms = clock_now_ms();
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		json_array_append_new(array,
			json_pack("{s:s, s:i, s:s, s:i, s:s, s:I, s:s, s:s?, s:o}", "service", config->name, "pid",
				worker->pid, "state", worker_state_name(worker->state), "generation",
				worker->generation, "user", account->user ? account->user : "-",
				"uptime_ms", (json_int_t)(now_ms - worker->started_ms), "command",
				worker->command ? worker->command : command_line_name(config), "status",
				worker->status, "slots",
				worker->has_slots ? json_integer(worker->n_slots) : json_null()));
}
