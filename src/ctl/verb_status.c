/*
 * status, also of a daemon that is not there.
 */
#include "ctl/verbs.h"

#include <string.h>

#include "ctl/complaint.h"
#include "ctl/dead.h"
#include "ctl/exitcode.h"
#include "ctl/listing.h"
#include "ctl/options.h"
#include "ctl/render.h"
#include "ctl/reply.h"
#include "ctl/view.h"

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

/* The listings that follow the status on one page. */
static const struct {
	struct question question;
	const struct table *table;
	const char *title;
} listings[] = {
	{ { "Listeners", "listeners" }, &table_listeners, "LISTENERS" },
	{ { "Workers", "workers" }, &table_workers, "WORKERS" },
	{ { "Deaths", "deaths" }, &table_deaths, "DEATHS" },
};

enum { DEATHS_ON_PAGE = 10 };

/* Deaths are asked for by one name or none; more than one service are picked out here. */
static bool is_named(const struct ctl *ctl, const json_t *row)
{
	const char *service = reply_text(row, "service");
	for (size_t i = 0; service && i < ctl->n_names; i++)
		if (!strcmp(ctl->names[i], service))
			return true;
	return ctl->n_names == 0;
}

static void keep_last_deaths(const struct ctl *ctl, json_t *rows)
{
	for (size_t i = json_array_size(rows); i-- > 0;)
		if (!is_named(ctl, json_array_get(rows, i)))
			json_array_remove(rows, i);
	while (json_array_size(rows) > DEATHS_ON_PAGE)
		json_array_remove(rows, 0);
}

static void print_title(struct ctl *ctl, const char *title)
{
	fputc('\n', ctl->out);
	look_print_line(ctl->out, &ctl->look, TONE_HEAD, "%s", title);
}

/* Nothing where there is nothing to list. */
static void print_listing(
	struct ctl *ctl, const char *title, const struct table *table, const json_t *rows)
{
	struct table_choice choice;
	if (ctl->is_json || !json_array_size(rows) || !table_choose(table, NULL, &choice, NULL))
		return;
	print_title(ctl, title);
	table_print(ctl->out, table, &choice, rows, &ctl->look);
}

static int add_connections(struct ctl *ctl, json_t *all)
{
	struct records rows = { 0 };
	struct table_choice choice;
	int code = gather_connections(ctl, &rows);
	if (code == CTL_OK && ctl->is_json) {
		json_object_set_new(all, "connections", records_to_json(&rows));
	} else if (code == CTL_OK && rows.n && table_choose(&table_connections, NULL, &choice, NULL)) {
		print_title(ctl, "CONNECTIONS");
		table_print_records(ctl->out, &table_connections, &choice, &rows, &ctl->look);
	}
	records_fini(&rows);
	return code;
}

/* One more listing, under its title, or as one more member of `all`. */
static int add_listing(struct ctl *ctl, size_t i, json_t *all)
{
	struct client_reply reply;
	const char *name = listings[i].question.rows;
	bool is_deaths = !strcmp(name, "deaths");
	int code = ask(ctl, &listings[i].question, is_deaths ? json_object() : services_parameter(ctl),
		&reply);
	if (code != CTL_OK)
		return code;
	json_t *rows = json_object_get(reply.parameters, name);
	if (is_deaths)
		keep_last_deaths(ctl, rows);
	json_object_set(all, name, rows);
	print_listing(ctl, listings[i].title, listings[i].table, rows);
	client_reply_fini(&reply);
	return CTL_OK;
}

/* The exit code of status is the answer; a listing that fails has complained. */
static void add_listings(struct ctl *ctl, json_t *all)
{
	for (size_t i = 0; i < sizeof listings / sizeof *listings; i++)
		if (add_listing(ctl, i, all) != CTL_OK)
			return;
	add_connections(ctl, all);
}

int run_status(struct ctl *ctl)
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
	code = exitcode_of_status(reply.parameters, ctl->n_names > 0);
	view_apply(ctl, &table_status, reply.parameters, "services");
	bool is_all = is_given(ctl, OPTION_ALL);
	if (!ctl->is_json)
		render_status(
			ctl->out, reply.parameters, &choice, ctl->is_verbose || is_all, &ctl->look);
	if (is_all)
		add_listings(ctl, reply.parameters);
	if (ctl->is_json)
		print_json(ctl, reply.parameters);
	client_reply_fini(&reply);
	return code;
}
