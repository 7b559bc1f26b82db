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
