/*
 * The verbs: one row of the table and one function each. A verb asks one question, shows the
 * answer, and says by its exit code what a script should make of it.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "ctl/client.h"
#include "ctl/complaint.h"
#include "ctl/dead.h"
#include "ctl/exitcode.h"
#include "ctl/render.h"
#include "ctl/reply.h"

enum { QUERY_TIMEOUT_MS = 5000, CHANGE_TIMEOUT_MS = 60000 };

/* One method of org.fdsup. */
struct question {
	const char *method;
	const char *rows; /* the array that every good answer has */
	bool is_change;
};

/* Pretty-printed, with the version of this format first. */
static void print_json(struct ctl *ctl, const json_t *object)
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

/*
 * Asks on a connection, which it takes, and deals with every answer but a good one. Takes
 * `parameters`. CTL_OK and *ret, or the exit code.
 */
static int ask_on(struct ctl *ctl, int connection, const struct question *question,
	json_t *parameters, struct client_reply *ret)
{
	fd_auto int fd = connection;
	unsigned timeout_ms = question->is_change ? CHANGE_TIMEOUT_MS : QUERY_TIMEOUT_MS;
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
	} else if (!reply_has_rows(reply.parameters, question->rows)) {
		code = complain_call(ctl->socket_path, EBADMSG, 0);
	}
	if (code == CTL_OK)
		*ret = reply;
	else
		client_reply_fini(&reply);
	return code;
}

static int ask(struct ctl *ctl, const struct question *question, json_t *parameters,
	struct client_reply *ret)
{
	int fd;
	int r = client_connect(ctl->socket_path, QUERY_TIMEOUT_MS, &fd);
	if (r == 0)
		return ask_on(ctl, fd, question, parameters, ret);
	json_decref(parameters);
	return complain_connect(ctl->socket_path, -r);
}

/* {"services": [NAME, ...]}, or {} for all. */
static json_t *services_parameter(const struct ctl *ctl)
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

static bool choose_columns(
	const struct ctl *ctl, const struct table *table, struct table_choice *ret)
{
	char *unknown = NULL;
	if (table_choose(table, ctl->columns, ret, &unknown))
		return true;
	char *names = NULL;
	size_t size;
	FILE *list = open_memstream(&names, &size);
	if (list) {
		table_print_names(list, table);
		fclose(list);
	}
	complain("-o: there is no column \"%s\"; there are: %s", unknown ? unknown : "",
		names ? names : "");
	free(names);
	free(unknown);
	return false;
}

static int report_dead(struct ctl *ctl, int error)
{
	struct dead dead;
	complain_connect(ctl->socket_path, error);
	if (dead_inspect(ctl->socket_path, &dead) < 0)
		return CTL_UNKNOWN;
	int code = dead_exitcode(&dead);
	if (ctl->is_json) {
		json_t *object = render_dead_json(&dead);
		print_json(ctl, object);
		json_decref(object);
	} else {
		render_dead(ctl->out, &dead, &ctl->look);
	}
	dead_fini(&dead);
	return code;
}

static int run_status(struct ctl *ctl)
{
	static const struct question question = { "Status", "services" };
	struct client_reply reply;
	struct table_choice choice;
	int fd;
	if (!choose_columns(ctl, &table_status, &choice))
		return CTL_USAGE;
	int r = client_connect(ctl->socket_path, QUERY_TIMEOUT_MS, &fd);
	if (r < 0 && exitcode_of_connect(-r) == CTL_NOT_RUNNING)
		return report_dead(ctl, -r);
	if (r < 0)
		return complain_connect(ctl->socket_path, -r);
	int code = ask_on(ctl, fd, &question, services_parameter(ctl), &reply);
	if (code != CTL_OK)
		return code;
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	else
		render_status(ctl->out, reply.parameters, &choice, ctl->is_verbose, &ctl->look);
	code = exitcode_of_status(reply.parameters, ctl->n_names > 0);
	client_reply_fini(&reply);
	return code;
}

/* The verbs that are one question and one table. */
static int run_listing(struct ctl *ctl, const struct question *question, const struct table *table)
{
	struct client_reply reply;
	struct table_choice choice;
	if (!choose_columns(ctl, table, &choice))
		return CTL_USAGE;
	int code = ask(ctl, question, services_parameter(ctl), &reply);
	if (code != CTL_OK)
		return code;
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	else
		table_print(ctl->out, table, &choice,
			json_object_get(reply.parameters, question->rows), &ctl->look);
	client_reply_fini(&reply);
	return CTL_OK;
}

static int run_listeners(struct ctl *ctl)
{
	static const struct question question = { "Listeners", "listeners" };
	return run_listing(ctl, &question, &table_listeners);
}

static int run_workers(struct ctl *ctl)
{
	static const struct question question = { "Workers", "workers" };
	return run_listing(ctl, &question, &table_workers);
}

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

static int run_start(struct ctl *ctl)
{
	static const struct question question = { "Start", "outcomes", true };
	return run_change(ctl, &question);
}

static int run_stop(struct ctl *ctl)
{
	static const struct question question = { "Stop", "outcomes", true };
	return run_change(ctl, &question);
}

static int run_restart(struct ctl *ctl)
{
	static const struct question question = { "Restart", "outcomes", true };
	return run_change(ctl, &question);
}

static int run_reload(struct ctl *ctl)
{
	static const struct question question = { "Reload", "changes", true };
	struct client_reply reply;
	int code = ask(ctl, &question, json_pack("{s:b}", "dry_run", ctl->is_dry_run), &reply);
	if (code != CTL_OK)
		return code;
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	else
		render_changes(ctl->out, reply.parameters, ctl->is_verbose, &ctl->look);
	client_reply_fini(&reply);
	return CTL_OK;
}

/* Ours, and that of the daemon where there is one; that there is none is no failure here. */
static int run_version(struct ctl *ctl)
{
	struct client_reply reply = { 0 };
	int fd = -1;
	int r = client_connect(ctl->socket_path, QUERY_TIMEOUT_MS, &fd);
	if (r == 0)
		r = client_call(
			fd, "org.varlink.service.GetInfo", json_object(), QUERY_TIMEOUT_MS, &reply);
	fd_close(&fd);
	const char *daemon =
		r == 0 && !reply.error ? reply_text(reply.parameters, "version") : NULL;
	if (ctl->is_json) {
		json_t *versions =
			json_pack("{s:s, s:s?}", "fdsupctl", FDSUP_VERSION, "fdsup", daemon);
		print_json(ctl, versions);
		json_decref(versions);
	} else {
		look_print_line(ctl->out, &ctl->look, TONE_PLAIN, "fdsupctl %s", FDSUP_VERSION);
		look_print_line(ctl->out, &ctl->look, TONE_PLAIN, "fdsup %s",
			daemon ? daemon : "(no answer)");
	}
	client_reply_fini(&reply);
	return CTL_OK;
}

static int run_help(struct ctl *ctl)
{
	verbs_print_help(ctl->out);
	return CTL_OK;
}

static const struct verb verbs[] = {
	{ "status", "[-v] [SERVICE...]",
		"a line a service; below it what is wrong and what happens next",
		VERB_TAKES_NAMES | VERB_TAKES_COLUMNS | VERB_TAKES_VERBOSE, run_status },
	{ "listeners", "[SERVICE...]", "the listening sockets, as netstat shows them",
		VERB_TAKES_NAMES | VERB_TAKES_COLUMNS, run_listeners },
	{ "workers", "[SERVICE...]", "the worker processes", VERB_TAKES_NAMES | VERB_TAKES_COLUMNS,
		run_workers },
	{ "start", "SERVICE...", "start what was stopped or has failed",
		VERB_TAKES_NAMES | VERB_NEEDS_NAMES, run_start },
	{ "stop", "SERVICE...", "stop, until `start` or a restart of fdsup",
		VERB_TAKES_NAMES | VERB_NEEDS_NAMES, run_stop },
	{ "restart", "SERVICE...", "new workers for old ones; the sockets stay",
		VERB_TAKES_NAMES | VERB_NEEDS_NAMES, run_restart },
	{ "reload", "[--dry-run] [-v]",
		"read the configuration again; --dry-run only shows the plan",
		VERB_TAKES_DRY_RUN | VERB_TAKES_VERBOSE, run_reload },
	{ "version", "", "of fdsupctl and of the daemon", 0, run_version },
	{ "help", "", "this text", 0, run_help },
};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

const struct verb *verb_find(const char *name, const char **ret_closest)
{
	const char *names[N_VERBS];
	for (size_t i = 0; i < N_VERBS; i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
		names[i] = verbs[i].name;
	}
	*ret_closest = text_closest(name, names, N_VERBS);
	return NULL;
}

/* A name that JSON cannot carry must not silently leave the list: an empty one may mean all. */
static bool are_utf8(const struct ctl *ctl)
{
	bool are = true;
	for (size_t i = 0; i < ctl->n_names; i++) {
		json_t *name = json_string(ctl->names[i]);
		are = are && name;
		json_decref(name);
	}
	return are;
}

int verb_run(const struct verb *verb, struct ctl *ctl)
{
	const char *wrong = NULL;
	if (ctl->n_names && !(verb->takes & VERB_TAKES_NAMES))
		wrong = "takes no arguments";
	else if (!ctl->n_names && verb->takes & VERB_NEEDS_NAMES)
		wrong = "needs the name of a service; `fdsupctl status` lists them";
	else if (ctl->columns && !(verb->takes & VERB_TAKES_COLUMNS))
		wrong = "has no columns to choose with -o";
	else if (ctl->columns && ctl->is_json)
		wrong = "takes -o or --json, not both: the JSON always holds everything";
	else if (ctl->is_dry_run && !(verb->takes & VERB_TAKES_DRY_RUN))
		wrong = "has no --dry-run";
	else if (ctl->is_verbose && !(verb->takes & VERB_TAKES_VERBOSE))
		wrong = "has no -v";
	else if (!are_utf8(ctl))
		wrong = "takes names in UTF-8 only; `fdsupctl status` lists them";
	if (!wrong)
		return verb->run(ctl);
	complain("%s %s", verb->name, wrong);
	return CTL_USAGE;
}

void verbs_print_help(FILE *out)
{
	fputs("usage: fdsupctl [-s SOCKET] [--json] [-o COLUMN,...] VERB ...\n\n", out);
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(out, "  %-9s %-18s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].help);
	fputs("\n"
	      "  -s, --socket SOCKET       the admin socket; else $FDSUP_SOCKET, else\n"
	      "                            /run/fdsup/admin.sock, else\n"
	      "                            $XDG_RUNTIME_DIR/fdsup/admin.sock\n"
	      "  -j, --json                the answer as JSON\n"
	      "  -o, --columns COLUMN,...  these columns in this order\n"
	      "  -v, --verbose             more\n"
	      "  -n, --dry-run             (reload) change nothing\n"
	      "\n"
	      "Exit codes: 0 all that should be up is up, or it is done; 1 fdsup died, or it "
	      "failed;\n"
	      "3 not running, or a named service is stopped; 4 cannot tell; 64 usage; 150 "
	      "degraded.\n",
		out);
}
