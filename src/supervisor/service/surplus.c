#include "supervisor/service/surplus.h"

#include "base/log.h"
#include "supervisor/acceptor.h"
#include "supervisor/connections.h"
#include "supervisor/holders.h"
#include "supervisor/reload/roll.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"

/* Connections that nobody has reported, and whose process is looked for at once: a few milliseconds. */
enum { SOUGHT_MAX = 2000 };

static bool is_row_of(
	const struct service *service, const struct connections_part *part, const struct connection_row *row)
{
	return part->acceptor == service->acceptor && row->service == service->slot;
}

static bool is_it(const void *context, const struct service *service)
{
	return context == service;
}

static struct holders *find_holders(
	const struct service *service, const struct connections *connections)
{
	size_t n = 0;
	for (size_t i = 0; i < connections->n_parts; i++)
		for (size_t k = 0; k < connections->parts[i].n; k++) {
			const struct connection_row *row = &connections->parts[i].rows[k];
			n += is_row_of(service, &connections->parts[i], row) && !row->worker;
		}
	struct holders *holders =
		n && n <= SOUGHT_MAX ? holders_begin(service->supervisor, connections, is_it, service) : NULL;
	while (holders && holders_step(holders))
		;
	return holders;
}

static void count_one(struct service *service, pid_t pid)
{
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker->pid == pid)
			worker->n_counted++;
}

static void count(struct service *service, const struct connections *connections)
{
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		worker->n_counted = 0;
	if (!connections)
		return;
	struct holders *holders = find_holders(service, connections);
	for (size_t i = 0; i < connections->n_parts; i++)
		for (size_t k = 0; k < connections->parts[i].n; k++) {
			const struct connection_row *row = &connections->parts[i].rows[k];
			struct holder holder = { .worker = row->worker };
			if (!is_row_of(service, &connections->parts[i], row))
				continue;
			if (row->worker || holders_of(holders, i, row, &holder))
				count_one(service, holder.worker);
		}
	holders_free(holders);
}

/* The newest come first in the list. NULL: there is none that could be ended. */
static struct worker *idlest(const struct service *service)
{
	struct worker *found = NULL;
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker->state == WORKER_READY && !roll_is_trial(worker) &&
			(!found || worker->n_counted < found->n_counted))
			found = worker;
	return found;
}

static void on_ready(void *context, struct connections *connections)
{
	struct service *service = context;
	uint32_t n = service_history(service)->n_surplus, n_min = service->config->supervision->workers_min;
	uint32_t n_spare = service->n_working > n_min ? service->n_working - n_min : 0;
	struct worker *worker;
	service_history(service)->n_surplus = 0;
	n = n < n_spare ? n : n_spare;
	if (n)
		log_info("%s: %u of %u workers were idle for a minute; they are ended", service->config->name, n,
			service->n_working);
	count(service, connections);
	connections_release(connections);
	bool has_ended = false;
	for (; n && (worker = idlest(service)); n--) {
		worker_drain(worker);
		service->n_working--;
		has_ended = true;
	}
	if (has_ended && service->n_working == 0)
		service_raise(service, EVENT_GONE_IDLE); /* workers.min is 0, and nobody needs one */
}

void surplus_end(struct service *service, uint32_t n)
{
	bool is_asked_for = service_history(service)->n_surplus > 0;
	service_history(service)->n_surplus = n;
	if (!is_asked_for)
		connections_ask(service->supervisor, on_ready, service);
}

void surplus_forget(struct service *service)
{
	if (!service->history || !service->history->n_surplus)
		return;
	service->history->n_surplus = 0;
	connections_forget(service->supervisor, service);
}
