#include "supervisor/reload/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "admin/server.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/shortage.h"
#include "supervisor/acceptor.h"
#include "supervisor/log/log_output.h"
#include "supervisor/notify.h"
#include "supervisor/reload/loading.h"
#include "supervisor/reload/plan.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"
#include "supervisor/zone.h"

static void remember_failure(struct supervisor *supervisor, const json_t *errors)
{
	const char *first = json_string_value(json_array_get(errors, 0));
	size_t i;
	json_t *error;
	free(supervisor->reload_error);
	supervisor->reload_error = strdup(first ? first : "out of memory");
	json_array_foreach(errors, i, error)
		log_error("%s", json_string_value(error));
	log_error("reload failed: nothing has changed; correct the file, then fdsupctl reload");
}

/* ---- requests, one after the other ----------------------------------------------------------- */

struct reload {
	struct reload *next; /* list: of the supervisor, the one under way first */
	struct supervisor *supervisor;
	struct loading *loading; /* of the first */
	struct admin_call *call; /* NULL: nobody waits */
	bool is_dry_run;
	json_t *changes;         /* carried out; the acceptors have yet to confirm it */
	json_t *trying;          /* names of services that have not changed over yet; NULL: not so far */
	json_t *failures;        /* what became of others of them */
	uint32_t *syncs;         /* what each of them is to confirm; NULL: nothing */
	ev_timer timeout;        /* for an acceptor that does not answer */
};

/* How long the acceptors may take to confirm. */
enum { SYNC_MAX_MS = 2000 };

static void begin(struct supervisor *supervisor);

static void answer(struct reload *reload, json_t *changes, json_t *errors)
{
	json_t *failures = reload->failures ? reload->failures : json_array();
	reload->failures = NULL;
	if (!reload->call)
		json_decref(changes ? changes : errors);
	else if (changes)
		admin_reply(reload->call,
			json_pack("{s:o, s:O}", "changes", changes, "failures", failures));
	else
		admin_error(reload->call, "org.fdsup.ReloadFailed",
			json_pack("{s:o}", "errors", errors));
	json_decref(failures);
	heap_give_back(); /* there may have been much to be compared, and told */
}

static void finish(struct reload *reload, json_t *changes, json_t *errors)
{
	struct supervisor *supervisor = reload->supervisor;
	if (!reload->is_dry_run && !changes)
		remember_failure(supervisor, errors);
	if (!reload->is_dry_run)
		notify_send("READY=1");
	answer(reload, changes, errors);
	supervisor->reloads = reload->next;
	free(reload);
	if (supervisor->reloads && !supervisor->is_stopping)
		begin(supervisor);
}

/* ---- services that try their new configuration ------------------------------------------------- */

static json_t *list_trying(const struct supervisor *supervisor)
{
	json_t *names = json_array();
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (supervisor->services[i]->roll && !supervisor->services[i]->is_leaving)
			json_array_append_new(names, json_string(supervisor->services[i]->config->name));
	return names;
}

static void end_rolling(struct reload *reload)
{
	struct reload **link = &reload->supervisor->rolling;
	while (*link != reload)
		link = &(*link)->next;
	*link = reload->next;
	json_decref(reload->trying);
	answer(reload, reload->changes, NULL);
	free(reload);
}

/* What comes next need not wait for them; who asked for this one is told the end of it. */
static void await_rolling(struct reload *reload)
{
	struct supervisor *supervisor = reload->supervisor;
	if (json_array_size(reload->trying) == 0) {
		json_decref(reload->trying);
		finish(reload, reload->changes, NULL);
		return;
	}
	notify_send("READY=1");
	supervisor->reloads = reload->next;
	reload->next = supervisor->rolling;
	supervisor->rolling = reload;
	if (supervisor->reloads && !supervisor->is_stopping)
		begin(supervisor);
}

static void note_rolled(struct reload *reload, const char *name, const char *failure)
{
	size_t i;
	json_t *trying;
	json_array_foreach(reload->trying, i, trying)
		if (!strcmp(json_string_value(trying), name))
			break;
	if (i == json_array_size(reload->trying))
		return;
	json_array_remove(reload->trying, i);
	if (!failure)
		return;
	if (!reload->failures)
		reload->failures = json_array();
	json_array_append_new(reload->failures,
		json_pack("{s:s, s:s}", "service", name, "reason", failure));
}

void reload_on_rolled(
	struct supervisor *supervisor, const struct service *service, const char *failure)
{
	struct reload *next;
	/* One that waits for the acceptors is not in the list of those yet. */
	if (supervisor->reloads && supervisor->reloads->trying)
		note_rolled(supervisor->reloads, service->config->name, failure);
	for (struct reload *reload = supervisor->rolling; reload; reload = next) {
		next = reload->next;
		note_rolled(reload, service->config->name, failure);
		if (json_array_size(reload->trying) == 0)
			end_rolling(reload);
	}
}

/* ---- acceptors that confirm --------------------------------------------------------------------- */

static bool is_confirmed(const struct reload *reload)
{
	const struct supervisor *supervisor = reload->supervisor;
	for (size_t i = 0; i < supervisor->n_acceptors; i++)
		if (!acceptor_has_synced(supervisor->acceptors[i], reload->syncs[i]))
			return false;
	return true;
}

static void end_confirmation(struct reload *reload)
{
	ev_timer_stop(reload->supervisor->loop, &reload->timeout);
	free(reload->syncs);
	reload->syncs = NULL;
}

static void on_timeout(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	struct reload *reload = watcher->data;
	log_warning("reload: an acceptor does not confirm that it has changed its listeners");
	end_confirmation(reload);
	await_rolling(reload);
}

/* Answers when it has happened: when a port that was given up is closed everywhere. */
static void await_confirmation(struct reload *reload, json_t *changes)
{
	struct supervisor *supervisor = reload->supervisor;
	reload->changes = changes;
	reload->trying = list_trying(supervisor);
	reload->syncs = calloc(supervisor->n_acceptors, sizeof *reload->syncs);
	if (!reload->syncs) {
		await_rolling(reload);
		return;
	}
	for (size_t i = 0; i < supervisor->n_acceptors; i++)
		reload->syncs[i] = acceptor_ask_sync(supervisor->acceptors[i]);
	ev_timer_init(&reload->timeout, on_timeout, SYNC_MAX_MS / 1000.0, 0);
	reload->timeout.data = reload;
	ev_timer_start(supervisor->loop, &reload->timeout);
	reload_on_confirmation(supervisor);
}

void reload_on_confirmation(struct supervisor *supervisor)
{
	struct reload *reload = supervisor->reloads;
	if (!reload || !reload->syncs || !is_confirmed(reload))
		return;
	end_confirmation(reload);
	await_rolling(reload);
}

static void on_loaded(void *context, struct config *config, const struct config_errors *errors)
{
	struct reload *reload = context;
	struct supervisor *supervisor = reload->supervisor;
	json_t *reasons = json_array(), *changes;
	reload->loading = NULL;
	if (config)
		config->edition = ++supervisor->last_edition;
	for (size_t i = 0; i < errors->n; i++)
		json_array_append_new(reasons, json_string(errors->items[i]));
	if (config && supervisor->is_stopping) {
		json_array_append_new(reasons, json_string("fdsup is stopping"));
		config_free(config);
		config = NULL;
	}
	if (!config || plan_apply(supervisor, config, reload->is_dry_run, &changes, reasons) < 0) {
		finish(reload, NULL, reasons);
		return;
	}
	json_decref(reasons);
	if (reload->is_dry_run) {
		finish(reload, changes, NULL);
		return;
	}
	zone_refresh(supervisor);
	await_confirmation(reload, changes);
}

static void begin(struct supervisor *supervisor)
{
	struct reload *reload = supervisor->reloads;
	if (!reload->is_dry_run)
		notify_reloading();
	reload->loading = loading_start(supervisor, on_loaded, reload);
	if (!reload->loading)
		finish(reload, NULL,
			json_pack("[o]", json_sprintf("cannot start the process that loads the file: %s; "
						      "reload again when there is room",
					       shortage_explain(errno))));
}

/* Even when the new configuration is refused. */
static void reopen_rotated_log(void)
{
	int r = log_output_reopen();
	if (r < 0)
		log_error("cannot open the log file anew: %s; the log stays where it was",
			log_output_explain(r));
}

void reload_request(struct supervisor *supervisor, struct admin_call *call, bool is_dry_run)
{
	if (!is_dry_run)
		reopen_rotated_log();
	if (supervisor->upgrade && call) {
		admin_error(call, "org.fdsup.Busy",
			json_pack("{s:s}", "reason", "an upgrade is under way; reload when it is done"));
		return;
	}
	if (supervisor->upgrade) {
		supervisor->has_hup = true; /* for whoever is here afterwards */
		return;
	}
	struct reload **link = &supervisor->reloads;
	struct reload *reload = calloc(1, sizeof *reload);
	if (!reload) {
		log_error("reload: out of memory; reload again when there is some");
		if (call)
			admin_error(call, "org.fdsup.Failed",
				json_pack("{s:s}", "reason", "out of memory"));
		return;
	}
	*reload = (struct reload){
		.supervisor = supervisor,
		.call = call,
		.is_dry_run = is_dry_run,
	};
	while (*link)
		link = &(*link)->next;
	*link = reload;
	if (supervisor->reloads == reload)
		begin(supervisor);
}

void reload_end(struct supervisor *supervisor)
{
	while (supervisor->rolling)
		end_rolling(supervisor->rolling);
	while (supervisor->reloads) {
		struct reload *reload = supervisor->reloads;
		if (reload->loading)
			loading_cancel(reload->loading);
		end_confirmation(reload);
		json_decref(reload->changes);
		json_decref(reload->trying);
		answer(reload, NULL, json_pack("[s]", "fdsup is stopping"));
		supervisor->reloads = reload->next;
		free(reload);
	}
}
