#include "supervisor/verbs/repeats.h"

#include <stdlib.h>
#include <ev.h>

#include "admin/server.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/snapshot.h"

struct repeat {
	struct repeat *next; /* list: of the supervisor */
	struct supervisor *supervisor;
	struct admin_call *call;
	json_t *names;
	ev_timer timer;
};

static void repeat_end(struct repeat *repeat)
{
	struct repeat **link = &repeat->supervisor->repeats;
	while (*link != repeat)
		link = &(*link)->next;
	*link = repeat->next;
	ev_timer_stop(repeat->supervisor->loop, &repeat->timer);
	admin_reply(repeat->call, NULL);
	json_decref(repeat->names);
	free(repeat);
}

static void on_gone(void *data)
{
	repeat_end(data);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	struct repeat *repeat = watcher->data;
	if (admin_call_unsent(repeat->call) == 0)
		admin_reply_more(repeat->call, snapshot_status(repeat->supervisor, repeat->names));
}

void repeats_add(
	struct supervisor *supervisor, struct admin_call *call, json_t *names, uint64_t interval_ms)
{
	struct repeat *repeat = calloc(1, sizeof *repeat);
	if (!repeat) {
		json_decref(names);
		admin_error(call, "org.fdsup.Failed", json_pack("{s:s}", "reason", "out of memory"));
		return;
	}
	repeat->next = supervisor->repeats;
	supervisor->repeats = repeat;
	repeat->supervisor = supervisor;
	repeat->call = call;
	repeat->names = names;
	double interval_s = (double)interval_ms / 1000;
	ev_timer_init(&repeat->timer, on_timer, interval_s, interval_s);
	repeat->timer.data = repeat;
	ev_timer_start(supervisor->loop, &repeat->timer);
	admin_call_on_gone(call, on_gone, repeat);
	admin_reply_more(call, snapshot_status(supervisor, names));
}

json_t *repeats_save(const struct supervisor *supervisor, const struct admin_call *call)
{
	for (const struct repeat *repeat = supervisor->repeats; repeat; repeat = repeat->next)
		if (repeat->call == call)
			return json_pack("{s:O?, s:I}", "names", repeat->names, "interval_ms",
				(json_int_t)(repeat->timer.repeat * 1000 + 0.5));
	return NULL;
}

void repeats_restore(struct supervisor *supervisor, struct admin_call *call, const json_t *json)
{
	json_t *names = json_object_get(json, "names");
	json_int_t interval_ms = json_integer_value(json_object_get(json, "interval_ms"));
	repeats_add(supervisor, call, json_is_array(names) ? json_incref(names) : NULL,
		interval_ms < REPEAT_LEAST_MS ? REPEAT_USUAL_MS : (uint64_t)interval_ms);
}

void repeats_end(struct supervisor *supervisor)
{
	while (supervisor->repeats)
		repeat_end(supervisor->repeats);
}
