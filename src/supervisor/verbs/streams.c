#include "supervisor/verbs/streams.h"

#include <stdlib.h>
#include <string.h>

#include "admin/server.h"
#include "base/clock.h"
#include "supervisor/service/standing_watch.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/named.h"

struct stream {
	struct stream *next; /* list: of the supervisor */
	struct supervisor *supervisor;
	struct admin_call *call;
	enum stream_kind kind;
	json_t *names;        /* NULL: all */
	json_int_t n_left_out;
	ev_timer look; /* whether it has caught up; active while something was left out */
};

static const double LOOK_S = 0.25;

static void stream_end(struct stream *stream)
{
	struct stream **link = &stream->supervisor->streams;
	while (*link != stream)
		link = &(*link)->next;
	*link = stream->next;
	ev_timer_stop(stream->supervisor->loop, &stream->look);
	admin_reply(stream->call, NULL);
	json_decref(stream->names);
	free(stream);
}

static void on_gone(void *data)
{
	stream_end(data);
}

static json_t *left_out(const struct stream *stream)
{
	if (stream->kind == STREAM_LINES)
		return json_pack("{s:O, s:[], s:I}", "service", json_array_get(stream->names, 0),
			"lines", "left_out", stream->n_left_out);
	return json_pack("{s:{s:I, s:s, s:n, s:o, s:I}}", "event", "at", (json_int_t)clock_wall_ms(),
		"event", "left-out", "service", "text",
		json_sprintf("%lld events were left out: they were read too slowly",
			(long long)stream->n_left_out),
		"count", stream->n_left_out);
}

/* It has caught up: what it missed stands where it was. */
static void tell_left_out(struct stream *stream)
{
	json_t *answer = left_out(stream);
	stream->n_left_out = 0;
	ev_timer_stop(stream->supervisor->loop, &stream->look);
	admin_reply_more(stream->call, answer);
}

static void on_look(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	struct stream *stream = watcher->data;
	if (admin_call_unsent(stream->call) == 0)
		tell_left_out(stream);
}

void streams_add(
	struct supervisor *supervisor, struct admin_call *call, enum stream_kind kind, json_t *names)
{
	struct stream *stream = calloc(1, sizeof *stream);
	if (!stream) {
		json_decref(names);
		admin_error(call, "org.fdsup.Failed", json_pack("{s:s}", "reason", "out of memory"));
		return;
	}
	*stream = (struct stream){ supervisor->streams, supervisor, call, kind, names };
	supervisor->streams = stream;
	ev_timer_init(&stream->look, on_look, LOOK_S, LOOK_S);
	stream->look.data = stream;
	admin_call_on_gone(call, on_gone, stream);
	if (kind == STREAM_EVENTS)
		standing_watch_begin(supervisor);
}

static bool wants(const struct stream *stream, enum stream_kind kind, const char *service)
{
	return stream->kind == kind &&
	       (!stream->names || (service && is_asked_for(stream->names, service)));
}

bool streams_want(const struct supervisor *supervisor, enum stream_kind kind, const char *service)
{
	for (const struct stream *stream = supervisor->streams; stream; stream = stream->next)
		if (wants(stream, kind, service))
			return true;
	return false;
}

static void stream_send(struct stream *stream, json_t *item)
{
	size_t unsent = admin_call_unsent(stream->call);
	if (unsent > ADMIN_STREAM_UNSENT_MAX || (stream->n_left_out && unsent)) {
		stream->n_left_out++;
		ev_timer_start(stream->supervisor->loop, &stream->look);
		return;
	}
	if (stream->n_left_out)
		tell_left_out(stream);
	admin_reply_more(stream->call, json_incref(item));
}

void streams_send(
	struct supervisor *supervisor, enum stream_kind kind, const char *service, json_t *item)
{
	for (struct stream *stream = supervisor->streams; item && stream; stream = stream->next)
		if (wants(stream, kind, service))
			stream_send(stream, item);
	json_decref(item);
}

/* ---- over to another program ------------------------------------------------------------------- */

/* Another version may number them in another way. */
static const char *const names_of_kinds[] = { [STREAM_EVENTS] = "events", [STREAM_LINES] = "lines" };

json_t *streams_save(const struct supervisor *supervisor, const struct admin_call *call)
{
	for (const struct stream *stream = supervisor->streams; stream; stream = stream->next)
		if (stream->call == call)
			return json_pack("{s:s, s:O?, s:I}", "kind", names_of_kinds[stream->kind], "names",
				stream->names, "left_out", stream->n_left_out);
	return NULL;
}

void streams_restore(struct supervisor *supervisor, struct admin_call *call, const json_t *json)
{
	const char *kind = json_string_value(json_object_get(json, "kind"));
	json_t *names = json_object_get(json, "names");
	bool is_lines = kind && !strcmp(kind, names_of_kinds[STREAM_LINES]);
	bool is_known = is_lines || (kind && !strcmp(kind, names_of_kinds[STREAM_EVENTS]));
	if (!is_known || (is_lines && !json_is_array(names))) {
		admin_error(call, "org.fdsup.Failed",
			json_pack("{s:s}", "reason", "fdsup " FDSUP_VERSION " does not know this stream"));
		return;
	}
	struct stream *before = supervisor->streams;
	streams_add(supervisor, call, is_lines ? STREAM_LINES : STREAM_EVENTS,
		json_is_array(names) ? json_incref(names) : NULL);
	struct stream *stream = supervisor->streams;
	if (stream == before)
		return;
	stream->n_left_out = json_integer_value(json_object_get(json, "left_out"));
	if (stream->n_left_out)
		ev_timer_start(supervisor->loop, &stream->look);
}

void streams_end(struct supervisor *supervisor)
{
	while (supervisor->streams)
		stream_end(supervisor->streams);
}
