#include "supervisor/verbs/orders.h"

#include <errno.h>

#include "admin/server.h"
#include "base/log.h"
#include "supervisor/acceptor.h"
#include "supervisor/published.h"
#include "supervisor/reload/reload.h"
#include "supervisor/service/sequence.h"
#include "supervisor/service/service.h"
#include "supervisor/succession/upgrade.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/named.h"
#include "supervisor/verbs/waits.h"

static bool refuse_while_stopping(struct supervisor *supervisor, struct admin_call *call)
{
	if (supervisor->is_stopping)
		admin_error(call, "org.fdsup.Busy", json_pack("{s:s}", "reason", "fdsup is stopping"));
	return supervisor->is_stopping;
}

static void log_order(struct admin_call *call, const char *verb, const json_t *names)
{
	const struct ucred *peer = admin_call_peer(call);
	size_t i;
	json_t *name;
	json_array_foreach(names, i, name)
		log_notice("%s: %s ordered by uid %u (pid %d)", json_string_value(name), verb, peer->uid,
			(int)peer->pid);
}

/* Binds and starts one that is stopped. false: it could not, and the reason is in error. */
static bool start_stopped(struct service *service, char error[LISTENERS_ERROR_SIZE])
{
	if (service_bind(service, error) < 0)
		return false;
	sequence_start(service);
	return true;
}

typedef void order_one(struct service *service);

static void start_one(struct service *service)
{
	if (service->state != STATE_STOPPED)
		service_start(service);
}

static void restart_one(struct service *service)
{
	if (service->state == STATE_STOPPED)
		return;
	service->is_wanted = true;
	service_forget_failures(service);
	service_raise(service, EVENT_RESTART);
}

static void drain_one(struct service *service)
{
	if (service->is_awaiting) { /* there is nothing to finish */
		sequence_stop(service);
		return;
	}
	service->is_wanted = false;
	service_raise(service, EVENT_DRAIN);
}

static void pause_one(struct service *service)
{
	service_raise(service, EVENT_PAUSE);
	/* It is done when the acceptor has done it: until then it may still accept. */
	service->pause_sync = acceptor_ask_sync(service->acceptor);
}

static void resume_one(struct service *service)
{
	service_raise(service, EVENT_RESUME);
}

static void order(struct supervisor *supervisor, struct admin_call *call, const json_t *parameters,
	const char *verb, order_one *act, enum wait_for what)
{
	if (refuse_while_stopping(supervisor, call))
		return;
	json_t *names;
	if (!named_services(supervisor, call, parameters, false, &names))
		return;
	log_order(call, verb, names);
	size_t i;
	json_t *name;
	sequence_hold(supervisor);
	json_array_foreach(names, i, name) {
		struct service *service = supervisor_find(supervisor, json_string_value(name));
		char error[LISTENERS_ERROR_SIZE];
		bool must_bind = what == WAIT_STARTED && service->state == STATE_STOPPED;
		if (!must_bind) {
			act(service);
		} else if (!start_stopped(service, error)) {
			log_error("%s", error);
			sequence_release(supervisor);
			json_decref(names);
			admin_error(call, "org.fdsup.Failed", json_pack("{s:s}", "reason", error));
			return;
		}
	}
	sequence_release(supervisor);
	published_write(supervisor);
	waits_add(supervisor, call, what, names);
}

void on_start(void *context, struct admin_call *call, const json_t *parameters)
{
	order(context, call, parameters, "start", start_one, WAIT_STARTED);
}

void on_stop(void *context, struct admin_call *call, const json_t *parameters)
{
	order(context, call, parameters, "stop", sequence_stop, WAIT_STOPPED);
}

void on_restart(void *context, struct admin_call *call, const json_t *parameters)
{
	order(context, call, parameters, "restart", restart_one, WAIT_STARTED);
}

void on_drain(void *context, struct admin_call *call, const json_t *parameters)
{
	order(context, call, parameters, "drain", drain_one, WAIT_DRAINED);
}

/* Why accepting cannot be paused for it; NULL: it can. */
static const char *why_no_pause(const struct service *service)
{
	if (service->config->n_listen == 0)
		return "it has no sockets to accept from; stop it instead";
	if (!service->acceptor)
		return "its program has the sockets and accepts by itself; stop it instead";
	if (service->state == STATE_STOPPED || service->state == STATE_DRAINING)
		return "it is stopped, and accepts nothing already";
	return NULL;
}

void on_pause(void *context, struct admin_call *call, const json_t *parameters)
{
	struct supervisor *supervisor = context;
	json_t *names;
	if (!named_services(supervisor, call, parameters, false, &names))
		return;
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		const char *why = why_no_pause(supervisor_find(supervisor, name));
		if (!why)
			continue;
		/* None of them is paused, rather than some. */
		admin_error(call, "org.fdsup.Failed",
			json_pack("{s:o}", "reason", json_sprintf("%s cannot be paused: %s", name, why)));
		json_decref(names);
		return;
	}
	json_decref(names);
	order(supervisor, call, parameters, "pause", pause_one, WAIT_PAUSED);
}

void on_resume(void *context, struct admin_call *call, const json_t *parameters)
{
	order(context, call, parameters, "resume", resume_one, WAIT_RESUMED);
}

/* Nothing is changed: whoever may look may wait. */
void on_wait(void *context, struct admin_call *call, const json_t *parameters)
{
	struct supervisor *supervisor = context;
	json_t *names;
	if (named_services(supervisor, call, parameters, false, &names))
		waits_add(supervisor, call, WAIT_UP, names);
}

void on_reload(void *context, struct admin_call *call, const json_t *parameters)
{
	struct supervisor *supervisor = context;
	const json_t *dry_run = json_object_get(parameters, "dry_run");
	if (refuse_while_stopping(supervisor, call))
		return;
	/* A dry run that is asked for wrongly must not become a real one. */
	if (dry_run && !json_is_boolean(dry_run) && !json_is_null(dry_run))
		admin_error(call, "InvalidParameter", json_pack("{s:s}", "parameter", "dry_run"));
	else
		reload_request(supervisor, call, json_is_true(dry_run));
}

void on_upgrade(void *context, struct admin_call *call, const json_t *parameters)
{
	(void)parameters;
	if (refuse_while_stopping(context, call))
		return;
	const struct ucred *peer = admin_call_peer(call);
	log_notice("upgrade ordered by uid %u (pid %d)", peer->uid, (int)peer->pid);
	upgrade_request(context, call);
}
