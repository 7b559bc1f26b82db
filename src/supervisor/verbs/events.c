#include "supervisor/verbs/events.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/log/capture.h"
#include "supervisor/service/service.h"
#include "supervisor/service/worker.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/streams.h"

/* The taps have no context: there is one supervisor in a process. */
static struct supervisor *listener;

static json_t *event(const char *kind, const char *service, json_t *text)
{
	return json_pack("{s:I, s:s, s:s?, s:o}", "at", (json_int_t)clock_wall_ms(), "event", kind,
		"service", service, "text", text);
}

static void tell(struct supervisor *supervisor, const char *service, json_t *object)
{
	streams_send(supervisor, STREAM_EVENTS, service, json_pack("{s:o}", "event", object));
}

/* A line about a service begins with its name and a colon. */
static const char *service_of_line(const char *line)
{
	const char *colon = strstr(line, ": ");
	for (size_t i = 0; colon && i < listener->n_services; i++) {
		const char *name = listener->services[i]->config->name;
		size_t length = strlen(name);
		if (length == (size_t)(colon - line) && !memcmp(name, line, length))
			return name;
	}
	return NULL;
}

static void on_log_line(int level, const char *line, size_t length)
{
	if (!listener->streams)
		return;
	const char *service = service_of_line(line);
	if (!streams_want(listener, STREAM_EVENTS, service))
		return;
	json_t *object = event("log", service, json_stringn(line, length));
	if (object)
		json_object_set_new(object, "level", json_string(log_level_name(level)));
	tell(listener, service, object);
}

json_t *events_line(const struct kept_line *line)
{
	return json_pack("{s:I, s:s, s:s}", "at", (json_int_t)line->at, "level",
		log_level_name(line->level), "text", line->text);
}

static void on_program_line(const char *name, const struct kept_line *line)
{
	if (streams_want(listener, STREAM_LINES, name))
		streams_send(listener, STREAM_LINES, name,
			json_pack("{s:s, s:[o], s:i}", "service", name, "lines", events_line(line),
				"left_out", 0));
}

void events_follow(struct supervisor *supervisor)
{
	listener = supervisor;
	log_set_tap(supervisor ? on_log_line : NULL);
	capture_set_follower(supervisor ? on_program_line : NULL);
}

void events_on_state(const struct service *service, enum service_state before, enum service_state now)
{
	const char *name = service->config->name;
	if (!streams_want(service->supervisor, STREAM_EVENTS, name))
		return;
	const char *state = service_state_name(now), *was = service_state_name(before);
	json_t *object = event("state", name, json_sprintf("%s -> %s", was, state));
	if (object) {
		json_object_set_new(object, "state", json_string(state));
		json_object_set_new(object, "was", json_string(was));
	}
	tell(service->supervisor, name, object);
}

static void tell_of_worker(const struct service *service, int pid, const char *what)
{
	const char *name = service->config->name;
	if (!streams_want(service->supervisor, STREAM_EVENTS, name))
		return;
	json_t *object = event("worker", name,
		json_sprintf("%s %d %s", worker_noun(service), pid, what));
	if (object)
		json_object_set_new(object, "pid", json_integer(pid));
	tell(service->supervisor, name, object);
}

void events_on_worker(const struct worker *worker, const char *what)
{
	tell_of_worker(worker->service, worker->pid, what);
}

void events_on_toll(const struct service *service, int pid, const char *what)
{
	tell_of_worker(service, pid, what);
}

json_t *events_begin(struct supervisor *supervisor)
{
	(void)supervisor;
	return json_pack("{s:o}", "event",
		event("begin", NULL, json_sprintf("fdsup %s", FDSUP_VERSION)));
}
