/*
 * The verbs: one row of the table and one function each. A verb asks one question, shows the
 * answer, and says by its exit code what a script should make of it.
 */
#include "ctl/verbs.h"

#include <jansson.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "ctl/client.h"
#include "ctl/complaint.h"
#include "ctl/exitcode.h"
#include "ctl/listing.h"
#include "ctl/metrics.h"
#include "ctl/options.h"
#include "ctl/render.h"
#include "ctl/reply.h"

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

static int run_deaths(struct ctl *ctl)
{
	static const struct question question = { "Deaths", "deaths" };
	const struct table *table = ctl->is_verbose ? &table_deaths_verbose : &table_deaths;
	json_t *parameters = json_object();
	if (ctl->n_names)
		json_object_set_new(parameters, "service", json_string(ctl->names[0]));
	if (is_given(ctl, OPTION_LINES))
		json_object_set_new(parameters, "limit", json_integer(ctl->n_lines));
	return run_listing_of(ctl, &question, table, parameters);
}

static int run_metrics(struct ctl *ctl)
{
	static const struct question question = { "Status", "services" };
	struct client_reply reply;
	int code = ask(ctl, &question, services_parameter(ctl), &reply);
	if (code != CTL_OK)
		return code;
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	else
		metrics_print(ctl->out, reply.parameters);
	client_reply_fini(&reply);
	return CTL_OK;
}

/* How the daemon answers, if it does: what else that means is told by the exit status. */
static int ask_version(const struct ctl *ctl, struct client_reply *ret)
{
	fd_auto int fd = -1;
	int r = client_connect(ctl->socket_path, QUERY_TIMEOUT_MS, &fd);
	if (r < 0)
		return exitcode_of_connect(-r);
	r = client_call(fd, "org.varlink.service.GetInfo", json_object(), QUERY_TIMEOUT_MS, ret);
	return r < 0 || ret->error || !reply_text(ret->parameters, "version") ? CTL_UNKNOWN : CTL_OK;
}

/* Ours is said in any case. */
static int run_version(struct ctl *ctl)
{
	struct client_reply reply = { 0 };
	int code = ask_version(ctl, &reply);
	const char *daemon = code == CTL_OK ? reply_text(reply.parameters, "version") : NULL;
	if (ctl->is_json) {
		json_t *versions =
			json_pack("{s:s, s:s?}", "fdsupctl", FDSUP_VERSION, "fdsup", daemon);
		print_json(ctl, versions);
		json_decref(versions);
	} else {
		look_print_line(ctl->out, &ctl->look, TONE_PLAIN, "fdsupctl %s", FDSUP_VERSION);
		look_print_line(ctl->out, &ctl->look, TONE_PLAIN, "fdsup %s",
			daemon              ? daemon
			: code == CTL_UNKNOWN ? "(no answer)"
					      : "(not running)");
	}
	client_reply_fini(&reply);
	return code;
}

static int run_help(struct ctl *ctl)
{
	verbs_print_help(ctl->out);
	return CTL_OK;
}

enum {
	LISTING = VERB_TAKES_NAMES | VERB_TAKES_COLUMNS,
	CHANGE = VERB_TAKES_NAMES | VERB_NEEDS_NAMES,
};

const struct verb verbs[] = {
	{ "status", "[-av] [SERVICE...]",
		"a line a service; below it what is wrong and what happens next",
		LISTING | VERB_TAKES_VERBOSE | VERB_TAKES_STATE | VERB_TAKES_ALL, run_status, &table_status },
	{ "listeners", "[SERVICE...]", "the listening sockets, as netstat shows them",
		LISTING | VERB_TAKES_NUMERIC, run_listeners, &table_listeners },
	{ "connections", "[SERVICE...]", "the live connections, as netstat shows them and who has them",
		LISTING | VERB_TAKES_NUMERIC | VERB_TAKES_STATE | VERB_TAKES_WORKER | VERB_TAKES_SOURCE,
		run_connections, &table_connections },
	{ "workers", "[SERVICE...]", "the worker processes",
		LISTING | VERB_TAKES_STATE | VERB_TAKES_WORKER, run_workers, &table_workers },
	{ "explain", "SERVICE", "how it has come to be as it is, in sentences",
		CHANGE | VERB_NEEDS_ONE_NAME, run_explain, NULL },
	{ "deaths", "[-v] [-n NUMBER] [SERVICE]", "workers that died, and what they left",
		LISTING | VERB_NEEDS_ONE_NAME | VERB_TAKES_LINES | VERB_TAKES_VERBOSE | VERB_TAKES_WORKER,
		run_deaths, &table_deaths },
	{ "logs", "[-f] [-n LINES] SERVICE", "what its programs last wrote to standard error",
		CHANGE | VERB_NEEDS_ONE_NAME | VERB_TAKES_LINES | VERB_TAKES_FOLLOW, run_logs, NULL },
	{ "events", "[SERVICE...]", "everything that happens, as lines of JSON", VERB_TAKES_NAMES,
		run_events, NULL },
	{ "top", "[-v] [-i DURATION] [SERVICE...]", "the status, painted again as it changes; q quits",
		LISTING | VERB_TAKES_VERBOSE | VERB_TAKES_STATE | VERB_TAKES_INTERVAL, run_top,
		&table_status },
	{ "metrics", "[SERVICE...]", "OpenMetrics text, for Prometheus and its like", VERB_TAKES_NAMES,
		run_metrics, NULL },
	{ "check", "[SERVICE...]", "silent: the exit code of status, for monitors", VERB_TAKES_NAMES,
		run_check, NULL },
	{ "wait", "[--timeout DURATION] SERVICE...", "silent: returns when all of them are up",
		CHANGE | VERB_TAKES_TIMEOUT, run_wait, NULL },
	{ "start", "SERVICE...", "start what was stopped or has failed", CHANGE, run_start, NULL },
	{ "stop", "SERVICE...", "stop, until `start` or a restart of fdsup", CHANGE, run_stop, NULL },
	{ "restart", "SERVICE...", "new workers for old ones; the sockets stay", CHANGE, run_restart,
		NULL },
	{ "pause", "SERVICE...", "accept nothing more; clients wait, connections go on", CHANGE,
		run_pause, NULL },
	{ "resume", "SERVICE...", "accept again what was paused", CHANGE, run_resume, NULL },
	{ "drain", "SERVICE...", "stop when the last connection has ended", CHANGE, run_drain, NULL },
	{ "kill-connection", "ID... | [SERVICE...]", "end connections: these, or those selected by options",
		VERB_TAKES_NAMES | VERB_TAKES_STATE | VERB_TAKES_WORKER | VERB_TAKES_SOURCE,
		run_kill_connection, NULL },
	{ "reload", "[--dry-run] [-v]",
		"read the configuration again; --dry-run only shows the plan",
		VERB_TAKES_DRY_RUN | VERB_TAKES_VERBOSE, run_reload, NULL },
	{ "upgrade", "", "run the program that is installed now; nothing is interrupted", 0, run_upgrade,
		NULL },
	{ "version", "", "of fdsupctl and of the daemon", 0, run_version, NULL },
	{ "help", "", "this text", 0, run_help, NULL },
};
enum { N_VERBS = sizeof verbs / sizeof *verbs };
const size_t verbs_n = N_VERBS;

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

/* An option that was given and that the verb does not know; NULL: there is none. */
static const struct ctl_option *find_misplaced(const struct verb *verb, const struct ctl *ctl)
{
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		if (is_given(ctl, i) && !option_fits(&ctl_options[i], verb))
			return &ctl_options[i];
	return NULL;
}

int verb_run(const struct verb *verb, struct ctl *ctl)
{
	const struct ctl_option *misplaced = find_misplaced(verb, ctl);
	const char *wrong = NULL;
	if (misplaced) {
		complain("%s has no --%s", verb->name, misplaced->name);
		return CTL_USAGE;
	}
	if (ctl->n_names && !(verb->takes & VERB_TAKES_NAMES))
		wrong = "takes no arguments";
	else if (!ctl->n_names && verb->takes & VERB_NEEDS_NAMES)
		wrong = "needs the name of a service; `fdsupctl status` lists them";
	else if (ctl->n_names > 1 && verb->takes & VERB_NEEDS_ONE_NAME)
		wrong = "takes one service at a time";
	else if (ctl->columns && ctl->is_json)
		wrong = "takes -o or --json, not both: the JSON always holds everything";
	else if (!are_utf8(ctl))
		wrong = "takes names in UTF-8 only; `fdsupctl status` lists them";
	if (!wrong)
		return verb->run(ctl);
	complain("%s %s", verb->name, wrong);
	return CTL_USAGE;
}

static bool is_used(const struct ctl_option *option)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (option_fits(option, &verbs[i]))
			return true;
	return false;
}

/* "-o, --columns COLUMN,...   what it does", its further lines below the first. */
static void print_option(FILE *out, const struct ctl_option *option)
{
	char left[64];
	const char *help = option->help;
	if (option->letter)
		snprintf(left, sizeof left, "-%c, --%s%s%s", option->letter, option->name,
			option->argument ? " " : "", option->argument ? option->argument : "");
	else
		snprintf(left, sizeof left, "    --%s%s%s", option->name,
			option->argument ? " " : "", option->argument ? option->argument : "");
	for (const char *text = left; *help; text = "") {
		size_t n = strcspn(help, "\n");
		fprintf(out, "  %-25s %.*s", text, (int)n, help);
		help += n + (help[n] == '\n');
		if (*help)
			fputc('\n', out);
	}
	if (option->of_verbs) {
		const char *separator = " (";
		for (size_t i = 0; i < N_VERBS; i++)
			if (option_fits(option, &verbs[i]) && option->of_verbs != VERB_TAKES_COLUMNS) {
				fprintf(out, "%s%s", separator, verbs[i].name);
				separator = ", ";
			}
		fputs(*separator == ',' ? ")" : "", out);
	}
	fputc('\n', out);
}

void verbs_print_help(FILE *out)
{
	fputs("usage: fdsupctl [OPTION...] VERB ...\n\n", out);
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(out, "  %-15s %-27s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].help);
	fputc('\n', out);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (is_used(&ctl_options[i]))
			print_option(out, &ctl_options[i]);
	fputs("\nExit codes: 0 all that should be up is up, or it is done; 1 fdsup died, or it "
	      "failed;\n"
	      "3 not running, or a named service is stopped; 4 cannot tell; 64 usage; 150 "
	      "degraded.\n",
		out);
}
