/*
 * The verbs that change something: they answer when it has happened, and exit by what became of it.
 */
#include "ctl/verbs.h"

#include <string.h>

#include "ctl/ask.h"
#include "ctl/complaint.h"
#include "ctl/exitcode.h"
#include "ctl/options.h"
#include "ctl/render.h"
#include "ctl/reply.h"

enum { DRAIN_TIMEOUT_MS = 400 * 1000 };

static bool is_on_its_way(const char *state)
{
	return state && (!strcmp(state, "STARTING") || !strcmp(state, "DRAINING"));
}

/* "hello: UP", or on standard error what went wrong, with the reasons. */
static int report_outcome(struct ctl *ctl, const json_t *outcome, const char *method)
{
	const json_t *explanation = json_object_get(outcome, "explanation");
	const char *service = reply_text(outcome, "service"), *state = reply_text(outcome, "state");
	if (exitcode_of_outcome(outcome, method) == CTL_OK) {
		if (!ctl->is_json)
			look_print_line(ctl->out, &ctl->look, TONE_PLAIN, "%s: %s",
				service ? service : "-", state ? state : "-");
		return CTL_OK;
	}
	complain("%s: %s%s", service ? service : "-", state ? state : "-",
		is_on_its_way(state) ? ", still on its way" : "");
	for (size_t i = 0; i < json_array_size(explanation); i++) {
		const char *line = json_string_value(json_array_get(explanation, i));
		complain("    %s", line ? line : "");
	}
	return CTL_FAILED;
}

static int run_change(struct ctl *ctl, const struct question *question)
{
	struct client_reply reply;
	int code = ask(ctl, question, services_parameter(ctl), &reply);
	if (code != CTL_OK)
		return code;
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	const json_t *outcomes = json_object_get(reply.parameters, question->rows);
	for (size_t i = 0; i < json_array_size(outcomes); i++)
		if (report_outcome(ctl, json_array_get(outcomes, i), question->method) != CTL_OK)
			code = CTL_FAILED;
	client_reply_fini(&reply);
	return code;
}

int run_start(struct ctl *ctl)
{
	static const struct question question = { "Start", "outcomes", true };
	return run_change(ctl, &question);
}

int run_stop(struct ctl *ctl)
{
	static const struct question question = { "Stop", "outcomes", true };
	return run_change(ctl, &question);
}

int run_restart(struct ctl *ctl)
{
	static const struct question question = { "Restart", "outcomes", true };
	return run_change(ctl, &question);
}

/* Connections may take five minutes to end by themselves; then they are ended. */
int run_drain(struct ctl *ctl)
{
	static const struct question question = { "Drain", "outcomes", true, .timeout_ms = DRAIN_TIMEOUT_MS };
	return run_change(ctl, &question);
}

int run_pause(struct ctl *ctl)
{
	static const struct question question = { "Pause", "outcomes", true };
	return run_change(ctl, &question);
}

int run_resume(struct ctl *ctl)
{
	static const struct question question = { "Resume", "outcomes", true };
	return run_change(ctl, &question);
}

int run_reload(struct ctl *ctl)
{
	static const struct question question = { "Reload", "changes", true };
	struct client_reply reply;
	int code = ask(ctl, &question, json_pack("{s:b}", "dry_run", is_given(ctl, OPTION_DRY_RUN)), &reply);
	if (code != CTL_OK)
		return code;
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	else
		render_changes(ctl->out, reply.parameters, ctl->is_verbose, &ctl->look);
	const json_t *failures = json_object_get(reply.parameters, "failures");
	for (size_t i = 0; i < json_array_size(failures); i++)
		complain_kept(json_array_get(failures, i));
	code = json_array_size(failures) ? CTL_FAILED : CTL_OK;
	client_reply_fini(&reply);
	return code;
}

/* The answer comes from the new program, in the same process. */
int run_upgrade(struct ctl *ctl)
{
	static const struct question question = { "Upgrade", NULL, true };
	struct client_reply reply;
	int code = ask(ctl, &question, json_object(), &reply);
	if (code != CTL_OK)
		return code;
	const char *from = reply_text(reply.parameters, "from"), *to = reply_text(reply.parameters, "to");
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	else
		look_print_line(ctl->out, &ctl->look, TONE_PLAIN, "fdsup %s runs in the place of %s",
			to ? to : "-", from ? from : "-");
	client_reply_fini(&reply);
	return CTL_OK;
}
