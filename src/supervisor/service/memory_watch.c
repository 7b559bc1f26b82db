#include "supervisor/service/memory_watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/recycle.h"
#include "process/memory.h"
#include "supervisor/service/pool.h"
#include "supervisor/supervisor.h"

static struct recycle_worker facts_of(const struct worker *worker)
{
	struct recycle_worker facts = {
		.share = worker->share,
		.is_changing = worker->state != WORKER_READY,
	};
	uint64_t bytes;
	if (memory_resident(worker->pid, &bytes) == 0) /* else it has ended, and that is told soon */
		facts.rss = bytes;
	return facts;
}

static void tell(const struct worker *worker, uint64_t rss)
{
	const struct service *service = worker->service;
	uint64_t max_rss = service->config->supervision->max_rss;
	char used[TEXT_SIZE_SIZE], limit[TEXT_SIZE_SIZE], key[TEXT_SIZE_SIZE], age[TEXT_DURATION_SIZE];
	uint64_t age_ms = clock_now_ms() - worker->ready_ms;
	text_format_size(used, rss);
	text_format_size(limit, recycle_limit(max_rss, worker->share));
	text_format_size(key, max_rss);
	text_format_duration(age, age_ms);
	if (age_ms < RECYCLE_YOUNG_MS)
		log_warning("%s: %s %d uses %s of memory after %s, more than %s (max_rss %s, a tenth either "
			    "way): it is replaced; raise max_rss if it needs as much",
			service->config->name, worker_noun(service), worker->pid, used, age, limit, key);
	else
		log_notice("%s: %s %d uses %s of memory after %s, more than %s (max_rss %s, a tenth either "
			   "way): it is replaced",
			service->config->name, worker_noun(service), worker->pid, used, age, limit, key);
}

static void replace(struct service *service, size_t chosen, uint64_t rss)
{
	struct worker *worker = service->workers;
	while (chosen--)
		worker = worker->next;
	tell(worker, rss);
	service_history(service)->renew_after_ms = clock_now_ms() + RECYCLE_PACE_MS;
	pool_renew(service, worker, "max_rss is exceeded");
}

static void look(struct service *service)
{
	bool is_early = clock_now_ms() < service_history(service)->renew_after_ms;
	if (service->state != STATE_UP || is_early)
		return;
	struct recycle_worker *facts = calloc(service->n_workers, sizeof *facts);
	size_t n = 0;
	if (!facts)
		return;
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		facts[n++] = facts_of(worker);
	size_t chosen = recycle_choose(facts, n, service->config->supervision->max_rss);
	if (chosen < n)
		replace(service, chosen, facts[chosen].rss);
	free(facts);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct supervisor *supervisor = timer->data;
	bool is_needed = false;
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		if (!service->config->supervision->max_rss || service->n_workers == 0)
			continue;
		is_needed = true;
		look(service);
	}
	if (!is_needed)
		memory_watch_stop(supervisor);
}

void memory_watch_init(struct supervisor *supervisor)
{
	const double period_s = (double)RECYCLE_LOOK_MS / 1000;
	ev_timer_init(&supervisor->memory, on_look, period_s, period_s);
	supervisor->memory.data = supervisor;
}

void memory_watch_start(struct supervisor *supervisor)
{
	if (!ev_is_active(&supervisor->memory))
		ev_timer_again(supervisor->loop, &supervisor->memory);
}

void memory_watch_stop(struct supervisor *supervisor)
{
	ev_timer_stop(supervisor->loop, &supervisor->memory);
}
