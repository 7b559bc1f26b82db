#include "supervisor/supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "supervisor/acceptor.h"
#include "supervisor/notify.h"
#include "supervisor/service/sequence.h"
#include "supervisor/service/service.h"
#include "supervisor/service/strays.h"
#include "supervisor/succession/keeper.h"
#include "supervisor/verbs/waits.h"

struct service *supervisor_find(struct supervisor *supervisor, const char *name)
{
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		if (!service->is_leaving && !strcmp(service->config->name, name))
			return service;
	}
	return NULL;
}

static bool comes_before(const struct service *a, const struct service *b)
{
	if (a->is_leaving != b->is_leaving)
		return b->is_leaving;
	return strcmp(a->config->name, b->config->name) < 0;
}

int supervisor_reserve(struct supervisor *supervisor, size_t n)
{
	if (n <= supervisor->n_services)
		return 0;
	struct service **services =
		realloc(supervisor->services, n * sizeof *supervisor->services);
	if (!services)
		return -ENOMEM;
	supervisor->services = services;
	return 0;
}

void supervisor_add(struct supervisor *supervisor, struct service *service)
{
	struct service **services = supervisor->services;
	size_t i = supervisor->n_services++;
	for (; i > 0 && comes_before(service, services[i - 1]); i--)
		services[i] = services[i - 1];
	services[i] = service;
}

static void remove_at(struct supervisor *supervisor, size_t i)
{
	service_destroy(supervisor->services[i]);
	supervisor->n_services--;
	memmove(&supervisor->services[i], &supervisor->services[i + 1],
		(supervisor->n_services - i) * sizeof *supervisor->services);
}

void supervisor_free_departed(struct supervisor *supervisor)
{
	for (size_t i = supervisor->n_services; i-- > 0;) {
		struct service *service = supervisor->services[i];
		if (service->is_leaving && service->state == STATE_STOPPED)
			remove_at(supervisor, i);
	}
}

struct acceptor *supervisor_choose_acceptor(struct supervisor *supervisor)
{
	struct acceptor *chosen = supervisor->acceptors[0];
	for (size_t i = 1; i < supervisor->n_acceptors; i++)
		if (supervisor->acceptors[i]->n_services < chosen->n_services)
			chosen = supervisor->acceptors[i];
	return chosen;
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool is_all_stopped(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (supervisor->services[i]->state != STATE_STOPPED)
			return false;
	return true;
}

static void stop_acceptors(struct supervisor *supervisor)
{
	size_t n = supervisor->n_acceptors;
	for (size_t i = 0; i < n; i++)
		acceptor_stop(supervisor->acceptors[i]);
	if (n == 0)
		strays_end(supervisor);
}

void supervisor_on_acceptor_gone(struct supervisor *supervisor, struct acceptor *acceptor)
{
	(void)acceptor;
	for (size_t i = 0; i < supervisor->n_acceptors; i++)
		if (acceptor_is_running(supervisor->acceptors[i]))
			return;
	strays_end(supervisor);
}

void supervisor_on_change(struct supervisor *supervisor, struct service *service)
{
	sequence_look(supervisor);
	waits_on_change(supervisor, service);
	if (service->is_leaving && service->state == STATE_STOPPED)
		supervisor->has_departed = true;
	if (supervisor->is_stopping && !supervisor->is_ending_acceptors &&
		is_all_stopped(supervisor)) {
		supervisor->is_ending_acceptors = true;
		stop_acceptors(supervisor);
	}
}

void supervisor_stop(struct supervisor *supervisor)
{
	if (!supervisor->is_stopping) {
		log_notice("stopping %zu service%s", supervisor->n_services,
			supervisor->n_services == 1 ? "" : "s");
		notify_send("STOPPING=1");
	} else {
		log_notice("stopping at once");
	}
	/* Nothing is to survive from now on. */
	if (!supervisor->is_stopping)
		keeper_end(supervisor);
	supervisor->is_stopping = true;
	sequence_stop_all(supervisor);
	if (is_all_stopped(supervisor)) {
		supervisor->is_ending_acceptors = true;
		stop_acceptors(supervisor);
	}
}
