#include "supervisor/verbs/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/server.h"
#include "base/clock.h"
#include "policy/explanation.h"
#include "supervisor/acceptor.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/named.h"

enum { ADDRESSES_SHOWN = 4 };

static void write_addresses(const struct service *service, FILE *out)
{
	const struct service_config *config = service->config;
	for (size_t i = 0; i < config->n_listen && i < ADDRESSES_SHOWN; i++) {
		char address[LISTEN_TEXT_SIZE];
		fprintf(out, "%s%s %s", i ? ", " : "", listen_protocol_name(config, &config->listen[i]),
			listen_address_format(address, &config->listen[i]));
	}
	if (config->n_listen > ADDRESSES_SHOWN)
		fprintf(out, " and %zu more", config->n_listen - ADDRESSES_SHOWN);
}

static void add_score(const struct service *service, struct explanation_facts *facts)
{
	const struct acceptor *acceptor = service->acceptor;
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	uint64_t now_ns = clock_now_ns(), refused_ns = score_get(score->refused_ns);
	facts->acceptance = ACCEPTED_BY_ACCEPTOR;
	facts->acceptor = acceptor->number + 1;
	facts->acceptor_pid = acceptor_is_running(acceptor) ? acceptor->child.pid : 0;
	facts->accepted = score_get(score->accepted);
	facts->served = score_get(score->served);
	facts->lost = score_get(score->lost);
	facts->refused = score_get(score->refused);
	facts->refused_rule = score_rule_name(score_get(score->refused_rule));
	facts->refused_age_ms = refused_ns < now_ns ? (now_ns - refused_ns) / 1000000 : 0;
}

static int only_worker(const struct service *service)
{
	const struct worker *worker = service->workers;
	bool is_only = service->n_workers == 1 && service->config->supervision->workers_max == 1;
	return is_only && worker->state == WORKER_READY ? worker->pid : 0;
}

/* The one that was started last: of several it is the news. */
static const struct worker *telling_worker(const struct service *service)
{
	const struct worker *found = NULL;
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		if (worker->status && (!found || worker->started_ms > found->started_ms))
			found = worker;
	return found;
}

static void explain(const struct service *service, const char *addresses, struct health *health,
	struct explanation *ret)
{
	struct health_facts known = service_facts(service);
	health_judge(&known, health);
	struct explanation_facts facts = {
		.service = service->config->name,
		.description = service->config->description,
		.facts = &known,
		.health = health,
		.supervisor_pid = (int)getpid(),
		.config_file = service->supervisor->config_path,
		.addresses = addresses,
		.is_bound = service->n_listeners > 0,
		.acceptance = service->config->n_listen ? ACCEPTED_BY_PROGRAM : ACCEPTED_BY_NOBODY,
		.n_workers = service->n_workers,
		.only_worker = only_worker(service),
		.noun = worker_noun(service),
		.user = worker_account(service) ? worker_account(service)->user : NULL,
		.has_datagrams = service->config->sockets->protocol == PROTOCOL_UDP,
		.is_on_demand = service->config->supervision->workers_min == 0,
	};
	const struct worker *telling = telling_worker(service);
	if (telling) {
		facts.telling_worker = telling->pid;
		facts.told = telling->status;
	}
	if (service->acceptor)
		add_score(service, &facts);
	if (service->history && service->history->last_death.at_ms)
		facts.death_age_ms = clock_now_ms() - service->history->last_death.at_ms;
	explanation_make(&facts, ret);
}

void on_explain(void *context, struct admin_call *call, const json_t *parameters)
{
	struct supervisor *supervisor = context;
	const char *name = json_string_value(json_object_get(parameters, "service"));
	const struct service *service = name ? supervisor_find(supervisor, name) : NULL;
	if (!name) {
		admin_error(call, "InvalidParameter", json_pack("{s:s}", "parameter", "service"));
		return;
	}
	if (!service) {
		refuse_unknown(supervisor, call, name);
		return;
	}
	char *addresses = NULL;
	size_t size;
	FILE *out = open_memstream(&addresses, &size);
	if (out) {
		write_addresses(service, out);
		fclose(out);
	}
	struct health health;
	struct explanation explanation;
	explain(service, addresses ? addresses : "", &health, &explanation);
	json_t *sentences = json_array();
	for (size_t i = 0; i < explanation.n; i++)
		json_array_append_new(sentences, json_string(explanation.sentences[i]));
	free(addresses);
	admin_reply(call, json_pack("{s:s, s:s, s:b, s:o}", "service", name, "state",
				  service_state_name(health.state), "healthy", health.is_healthy, "sentences",
				  sentences));
}
