#include "supervisor/verbs/waits.h"

#include <stdlib.h>
#include <string.h>
#include <ev.h>

#include "admin/server.h"
#include "base/clock.h"
#include "supervisor/acceptor.h"
#include "supervisor/service/sequence.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/snapshot.h"

struct wait {
	struct wait *next; /* list: of the supervisor */
	struct supervisor *supervisor;
	struct admin_call *call;
	enum wait_for what;
	json_t *names;
	ev_timer deadline;
	ev_timer look; /* the next look at a service that must stay up for a moment */
};

/* A program that dies in its first moments was not started, whatever exec said. */
enum { STEADY_MS = 300 };

/* What finishes is ended after this (pool.c). */
enum { DRAIN_MAX_MS = 300 * 1000 };

/* How often to look, and how long at most, whether the acceptor has done what it was told. */
enum { SYNC_LOOK_MS = 2, SYNC_MAX_MS = 2000 };

/* Besides the time that the configuration allows. */
enum { MARGIN_MS = 3000 };

/* An acceptor that does not answer is not waited for. */
static bool is_pausing(const struct service *service, uint64_t *ret_look_ms)
{
	*ret_look_ms = SYNC_LOOK_MS;
	return service->state == STATE_PAUSED && service->acceptor &&
	       !acceptor_has_synced(service->acceptor, service->pause_sync) &&
	       clock_now_ms() - service->state_since_ms < SYNC_MAX_MS;
}

static bool is_on_its_way(const struct service *service, enum wait_for what, uint64_t *ret_look_ms)
{
	if (what == WAIT_STOPPED || what == WAIT_DRAINED)
		return service->state != STATE_STOPPED;
	if (what == WAIT_PAUSED)
		return is_pausing(service, ret_look_ms);
	if (what == WAIT_UP && service->state != STATE_UP && service->state != STATE_ON_DEMAND)
		return true;
	if (service->is_awaiting || service->terminate_ms || service->state == STATE_STARTING)
		return true;
	if (service->config->type != SERVICE_DAEMON || service->state != STATE_UP)
		return false;
	uint64_t up_ms = clock_now_ms() - service->state_since_ms;
	if (up_ms >= STEADY_MS)
		return false;
	*ret_look_ms = STEADY_MS - up_ms + 1;
	return true;
}

static bool is_done(const struct service *service, enum wait_for what)
{
	if (what == WAIT_STOPPED || what == WAIT_DRAINED)
		return service->state == STATE_STOPPED;
	if (what == WAIT_PAUSED)
		return service->state == STATE_PAUSED;
	if (what == WAIT_RESUMED && service->state == STATE_PAUSED)
		return false;
	return service->state == STATE_UP || service->state == STATE_ON_DEMAND ||
	       service->state == STATE_PAUSED || service->state == STATE_DEGRADED;
}

static json_t *outcome_of(struct wait *wait, const char *name)
{
	struct service *service = supervisor_find(wait->supervisor, name);
	if (!service)
		return json_pack("{s:s, s:s, s:b, s:[]}", "service", name, "state", "STOPPED", "done",
			wait->what == WAIT_STOPPED || wait->what == WAIT_DRAINED, "explanation");
	struct health health;
	service_judge(service, &health);
	return json_pack("{s:s, s:s, s:b, s:o}", "service", name, "state",
		service_state_name(service->state), "done", is_done(service, wait->what),
		"explanation", snapshot_lines(&health));
}

/* Ends the wait; its call is then the caller's. */
static void unlink_wait(struct wait *wait)
{
	struct wait **link = &wait->supervisor->waits;
	while (*link != wait)
		link = &(*link)->next;
	*link = wait->next;
	ev_timer_stop(wait->supervisor->loop, &wait->deadline);
	ev_timer_stop(wait->supervisor->loop, &wait->look);
}

static void on_gone(void *data)
{
	struct wait *wait = data;
	unlink_wait(wait);
	admin_reply(wait->call, NULL);
	json_decref(wait->names);
	free(wait);
}

static void answer(struct wait *wait)
{
	unlink_wait(wait);
	json_t *outcomes = json_array();
	size_t i;
	json_t *name;
	json_array_foreach(wait->names, i, name)
		json_array_append_new(outcomes, outcome_of(wait, json_string_value(name)));
	admin_reply(wait->call, json_pack("{s:o}", "outcomes", outcomes));
	json_decref(wait->names);
	free(wait);
}

static void check(struct wait *wait)
{
	size_t i;
	json_t *name;
	json_array_foreach(wait->names, i, name) {
		struct service *service =
			supervisor_find(wait->supervisor, json_string_value(name));
		uint64_t look_ms = 0;
		if (!service || !is_on_its_way(service, wait->what, &look_ms))
			continue;
		if (look_ms) {
			ev_timer_stop(wait->supervisor->loop, &wait->look);
			ev_timer_set(&wait->look, (double)look_ms / 1000, 0);
			ev_timer_start(wait->supervisor->loop, &wait->look);
		}
		return;
	}
	answer(wait);
}

static void on_deadline(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	answer(watcher->data);
}

static void on_look(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	check(watcher->data);
}

static uint64_t allowed_ms(
	struct supervisor *supervisor, enum wait_for what, const json_t *names)
{
	uint64_t longest_ms = 0;
	size_t i;
	json_t *name;
	json_array_foreach(names, i, name) {
		const struct service *service = supervisor_find(supervisor, json_string_value(name));
		if (!service)
			continue;
		uint64_t ms = service->config->supervision->start_timeout +
			      service->config->supervision->stop_timeout +
			      sequence_longest_ms(service);
		if (ms > longest_ms)
			longest_ms = ms;
	}
	return longest_ms + MARGIN_MS + (what == WAIT_DRAINED ? DRAIN_MAX_MS : 0);
}

void waits_add(
	struct supervisor *supervisor, struct admin_call *call, enum wait_for what, json_t *names)
{
	struct wait *wait = calloc(1, sizeof *wait);
	if (!wait) {
		json_decref(names);
		admin_error(call, "org.fdsup.Failed", json_pack("{s:s}", "reason", "out of memory"));
		return;
	}
	wait->supervisor = supervisor;
	wait->call = call;
	wait->what = what;
	wait->names = names;
	wait->next = supervisor->waits;
	supervisor->waits = wait;
	ev_timer_init(
		&wait->deadline, on_deadline, (double)allowed_ms(supervisor, what, names) / 1000, 0);
	ev_timer_init(&wait->look, on_look, 0, 0);
	wait->deadline.data = wait->look.data = wait;
	if (what == WAIT_UP)
		admin_call_on_gone(call, on_gone, wait);
	else
		ev_timer_start(supervisor->loop, &wait->deadline);
	check(wait);
}

/* Another version may number them in another way. */
static const char *const names_of_kinds[] = {
	[WAIT_STARTED] = "started", [WAIT_STOPPED] = "stopped", [WAIT_DRAINED] = "drained",
	[WAIT_PAUSED] = "paused",   [WAIT_RESUMED] = "resumed", [WAIT_UP] = "up",
};

json_t *waits_save(const struct supervisor *supervisor, const struct admin_call *call)
{
	for (const struct wait *wait = supervisor->waits; wait; wait = wait->next)
		if (wait->call == call)
			return json_pack("{s:s, s:O}", "what", names_of_kinds[wait->what], "names",
				wait->names);
	return NULL;
}

void waits_restore(struct supervisor *supervisor, struct admin_call *call, const json_t *json)
{
	json_t *given = json_object_get(json, "names"), *name;
	json_t *names = json_array();
	size_t i;
	json_array_foreach(given, i, name)
		if (json_is_string(name))
			json_array_append(names, name);
	const char *kind = json_string_value(json_object_get(json, "what"));
	enum wait_for what = WAIT_STARTED;
	for (size_t j = 0; kind && j < sizeof names_of_kinds / sizeof *names_of_kinds; j++)
		if (!strcmp(kind, names_of_kinds[j]))
			what = (enum wait_for)j;
	waits_add(supervisor, call, what, names);
}

void waits_on_change(struct supervisor *supervisor, struct service *service)
{
	(void)service;
	struct wait *next;
	for (struct wait *wait = supervisor->waits; wait; wait = next) {
		next = wait->next;
		check(wait);
	}
}

void waits_end(struct supervisor *supervisor)
{
	while (supervisor->waits)
		answer(supervisor->waits);
}
