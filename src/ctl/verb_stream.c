/*
 * The verbs that go on until somebody ends them: logs -f and events.
 */
#include "ctl/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "ctl/ask.h"
#include "ctl/complaint.h"
#include "ctl/exitcode.h"
#include "ctl/number.h"
#include "ctl/options.h"
#include "ctl/reply.h"

typedef int on_answer(struct ctl *ctl, const json_t *parameters);

/* False: whoever reads our output has gone. */
static bool flush(struct ctl *ctl)
{
	return fflush(ctl->out) == 0 && !ferror(ctl->out);
}

static int report_error(struct ctl *ctl, const struct client_reply *reply)
{
	complain_reply(ctl->socket_path, reply);
	return exitcode_of_error(reply->error, true);
}

/* Shows what comes until the daemon ends it. Takes `parameters`. */
static int follow(struct ctl *ctl, const char *method, json_t *parameters, on_answer *show)
{
	struct client_input input = { 0 };
	fd_auto int fd = -1;
	int r = client_connect(ctl->socket_path, QUERY_TIMEOUT_MS, &fd);
	if (r < 0) {
		json_decref(parameters);
		return complain_connect(ctl->socket_path, -r);
	}
	r = client_call_more(fd, method, parameters, QUERY_TIMEOUT_MS);
	int code = CTL_OK;
	unsigned timeout_ms = QUERY_TIMEOUT_MS; /* for the first answer; later there may be none for days */
	for (bool goes_on = r == 0; goes_on;) {
		struct client_reply reply;
		r = client_next(&input, fd, timeout_ms, &reply);
		if (r < 0)
			break;
		timeout_ms = 0;
		code = reply.error ? report_error(ctl, &reply) : show(ctl, reply.parameters);
		goes_on = code == CTL_OK && reply.continues && flush(ctl);
		client_reply_fini(&reply);
	}
	client_input_fini(&input);
	if (r == -ECONNRESET && timeout_ms == 0) {
		complain("fdsup has ended");
		return CTL_NOT_RUNNING;
	}
	return r < 0 ? complain_call(ctl->socket_path, -r, QUERY_TIMEOUT_MS) : code;
}

static void print_json_line(struct ctl *ctl, const json_t *object)
{
	json_dumpf(object, ctl->out, JSON_COMPACT);
	fputc('\n', ctl->out);
}

/* An event that is missing is an answer that has ended. */
static int show_event(struct ctl *ctl, const json_t *parameters)
{
	const json_t *event = json_object_get(parameters, "event");
	if (json_is_object(event))
		print_json_line(ctl, event);
	return CTL_OK;
}

int run_events(struct ctl *ctl)
{
	return follow(ctl, "org.fdsup.Events", services_parameter(ctl), show_event);
}

static void print_line(struct ctl *ctl, const json_t *line)
{
	char stamp[NUMBER_SIZE] = "-";
	const char *text = reply_text(line, "text");
	json_int_t at;
	if (reply_integer(line, "at", &at))
		number_format_time(stamp, at);
	look_print_line(ctl->out, &ctl->look, TONE_PLAIN, "%s %s", stamp, text ? text : "");
}

static int show_lines(struct ctl *ctl, const json_t *parameters)
{
	const json_t *lines = json_object_get(parameters, "lines");
	json_int_t n_left_out = 0;
	reply_integer(parameters, "left_out", &n_left_out);
	for (size_t i = 0; i < json_array_size(lines); i++) {
		if (ctl->is_json)
			print_json_line(ctl, json_array_get(lines, i));
		else
			print_line(ctl, json_array_get(lines, i));
	}
	if (n_left_out)
		complain("%" JSON_INTEGER_FORMAT " lines were left out: they were read too slowly",
			n_left_out);
	if (json_is_false(json_object_get(parameters, "captured")))
		complain("the key stderr sends what its programs write elsewhere; stderr = \"log\" "
			 "keeps it here");
	return CTL_OK;
}

int run_logs(struct ctl *ctl)
{
	static const struct question question = { "Logs", "lines" };
	json_t *parameters = json_pack("{s:s}", "service", ctl->names[0]);
	if (is_given(ctl, OPTION_LINES))
		json_object_set_new(parameters, "lines", json_integer(ctl->n_lines));
	if (is_given(ctl, OPTION_FOLLOW))
		return follow(ctl, "org.fdsup.Logs", parameters, show_lines);
	struct client_reply reply;
	int code = ask(ctl, &question, parameters, &reply);
	if (code != CTL_OK)
		return code;
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	else
		show_lines(ctl, reply.parameters);
	client_reply_fini(&reply);
	return CTL_OK;
}
