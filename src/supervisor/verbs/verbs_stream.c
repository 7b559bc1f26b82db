#include "supervisor/verbs/verbs_stream.h"

#include "admin/server.h"
#include "supervisor/log/capture.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/events.h"
#include "supervisor/verbs/named.h"
#include "supervisor/verbs/streams.h"

enum { LINES_USUAL = 10 };

void on_events(void *context, struct admin_call *call, const json_t *parameters)
{
	struct supervisor *supervisor = context;
	if (!admin_call_wants_more(call)) {
		admin_error(call, "ExpectedMore", NULL);
		return;
	}
	json_t *names;
	if (!named_services(supervisor, call, parameters, true, &names))
		return;
	/* Without names also what is about no service, and services that are yet to come. */
	streams_add(supervisor, call, STREAM_EVENTS, names);
	admin_reply_more(call, events_begin(supervisor));
}

/* Of `n` lines, or of all that are kept if there are fewer. */
static json_t *last_lines(const struct service *service, unsigned n)
{
	json_t *array = json_array();
	const struct kept_lines *lines = capture_lines(service->capture);
	const struct kept_line *line = lines ? kept_lines_last(lines, n) : NULL;
	for (; line; line = line->newer)
		json_array_append_new(array, events_line(line));
	return array;
}

static bool is_captured(const struct service *service)
{
	return service->config->surroundings->stderr_target == STDERR_LOG;
}

void on_logs(void *context, struct admin_call *call, const json_t *parameters)
{
	struct supervisor *supervisor = context;
	const char *name = json_string_value(json_object_get(parameters, "service"));
	const json_t *given = json_object_get(parameters, "lines");
	bool is_number = json_is_integer(given) && json_integer_value(given) >= 0;
	if (!name || (given && !json_is_null(given) && !is_number)) {
		admin_error(call, "InvalidParameter",
			json_pack("{s:s}", "parameter", name ? "lines" : "service"));
		return;
	}
	const struct service *service = supervisor_find(supervisor, name);
	if (!service) {
		refuse_unknown(supervisor, call, name);
		return;
	}
	json_int_t n = is_number ? json_integer_value(given) : LINES_USUAL;
	if (n > KEPT_LINES_MAX)
		n = KEPT_LINES_MAX;
	json_t *answer = json_pack("{s:s, s:o, s:i, s:b}", "service", name, "lines",
		last_lines(service, (unsigned)n), "left_out", 0, "captured", is_captured(service));
	if (!admin_call_wants_more(call)) {
		admin_reply(call, answer);
		return;
	}
	streams_add(supervisor, call, STREAM_LINES, json_pack("[s]", name));
	admin_reply_more(call, answer);
}
