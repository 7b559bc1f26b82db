#include "ctl/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "ctl/complaint.h"
#include "ctl/exitcode.h"
#include "ctl/reply.h"

void print_json(struct ctl *ctl, const json_t *object)
{
	json_t *all = json_pack("{s:i}", "version", 1);
	json_object_update_missing(all, (json_t *)object);
	json_dumpf(all, ctl->out, JSON_INDENT(2));
	fputc('\n', ctl->out);
	json_decref(all);
}

static void print_error_json(struct ctl *ctl, const struct client_reply *reply)
{
	json_t *both =
		json_pack("{s:s, s:O}", "error", reply->error, "parameters", reply->parameters);
	print_json(ctl, both);
	json_decref(both);
}

int ask_on(struct ctl *ctl, int connection, const struct question *question,
	json_t *parameters, struct client_reply *ret)
{
	fd_auto int fd = connection;
	unsigned timeout_ms = question->timeout_ms  ? question->timeout_ms
			      : question->is_change ? CHANGE_TIMEOUT_MS
						    : QUERY_TIMEOUT_MS;
	char name[64];
	snprintf(name, sizeof name, "org.fdsup.%s", question->method);
	struct client_reply reply;
	int r = client_call(fd, name, parameters, timeout_ms, &reply);
	if (r < 0)
		return complain_call(ctl->socket_path, -r, timeout_ms);
	int code = CTL_OK;
	if (reply.error) {
		complain_reply(ctl->socket_path, &reply);
		code = exitcode_of_error(reply.error, !question->is_change);
		if (ctl->is_json)
			print_error_json(ctl, &reply);
	} else if (question->rows && !reply_has_rows(reply.parameters, question->rows)) {
		code = complain_call(ctl->socket_path, EBADMSG, 0);
	}
	if (code == CTL_OK)
		*ret = reply;
	else
		client_reply_fini(&reply);
	return code;
}

int ask(struct ctl *ctl, const struct question *question, json_t *parameters,
	struct client_reply *ret)
{
	int fd;
	int r = client_connect(ctl->socket_path, QUERY_TIMEOUT_MS, &fd);
	if (r == 0)
		return ask_on(ctl, fd, question, parameters, ret);
	json_decref(parameters);
	return complain_connect(ctl->socket_path, -r);
}

json_t *services_parameter(const struct ctl *ctl)
{
	json_t *parameters = json_object();
	json_t *names = json_array();
	for (size_t i = 0; i < ctl->n_names; i++)
		json_array_append_new(names, json_string(ctl->names[i]));
	if (ctl->n_names)
		json_object_set(parameters, "services", names);
	json_decref(names);
	return parameters;
}
