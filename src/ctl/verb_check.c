/*
 * The verbs that say nothing: check and wait, for monitors and scripts. The exit code is the answer;
 * only what is wrong with the question itself is said.
 */
#include "ctl/verbs.h"

#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ctl/ask.h"
#include "ctl/complaint.h"
#include "ctl/dead.h"
#include "ctl/exitcode.h"
#include "ctl/options.h"

static int exitcode_of_dead(struct ctl *ctl, int error)
{
	struct dead dead;
	int code = exitcode_of_connect(error);
	if (code != CTL_NOT_RUNNING || dead_inspect(ctl->socket_path, &dead) < 0)
		return code;
	code = dead_exitcode(&dead);
	dead_fini(&dead);
	return code;
}

/* Takes `parameters`. An error reply is said: such a question has no answer. */
static int ask_quietly(struct ctl *ctl, const char *method, json_t *parameters, unsigned timeout_ms,
	struct client_reply *ret)
{
	fd_auto int fd = -1;
	int r = client_connect(ctl->socket_path, QUERY_TIMEOUT_MS, &fd);
	if (r < 0) {
		json_decref(parameters);
		return exitcode_of_dead(ctl, -r);
	}
	r = client_call(fd, method, parameters, timeout_ms, ret);
	if (r < 0)
		return r == -ETIMEDOUT && is_given(ctl, OPTION_TIMEOUT) ? CTL_FAILED : CTL_UNKNOWN;
	if (!ret->error)
		return CTL_OK;
	complain_reply(ctl->socket_path, ret);
	int code = exitcode_of_error(ret->error, true);
	client_reply_fini(ret);
	return code;
}

int run_check(struct ctl *ctl)
{
	struct client_reply reply;
	int code = ask_quietly(
		ctl, "org.fdsup.Status", services_parameter(ctl), QUERY_TIMEOUT_MS, &reply);
	if (code != CTL_OK)
		return code;
	code = exitcode_of_status(reply.parameters, ctl->n_names > 0);
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	client_reply_fini(&reply);
	return code;
}

int run_wait(struct ctl *ctl)
{
	struct client_reply reply;
	uint64_t timeout_ms = is_given(ctl, OPTION_TIMEOUT) ? ctl->timeout_ms : 0;
	/* 0 is for ever; who asks for no time at all wants to know how it is now. */
	if (is_given(ctl, OPTION_TIMEOUT) && timeout_ms == 0)
		timeout_ms = 1;
	int code = ask_quietly(
		ctl, "org.fdsup.Wait", services_parameter(ctl), (unsigned)timeout_ms, &reply);
	if (code != CTL_OK)
		return code;
	const json_t *outcomes = json_object_get(reply.parameters, "outcomes");
	for (size_t i = 0; i < json_array_size(outcomes); i++)
		if (exitcode_of_outcome(json_array_get(outcomes, i), "Wait") != CTL_OK)
			code = CTL_FAILED;
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	client_reply_fini(&reply);
	return code;
}
