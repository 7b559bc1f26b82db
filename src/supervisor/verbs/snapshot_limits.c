#include "supervisor/verbs/snapshot_limits.h"

#include <stdlib.h>

#include "base/clock.h"
#include "policy/bucket.h"
#include "policy/hours.h"
#include "supervisor/acceptor.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"
#include "wire/handoff.h"

/* used NULL: it is not known. */
static void add(json_t *array, const char *key, json_t *used, json_t *limit)
{
	json_array_append_new(array,
		json_pack("{s:s, s:o, s:o, s:n, s:n}", "key", key, "used", used ? used : json_null(), "limit",
			limit, "open", "changes_at"));
}

static void add_number(json_t *array, const char *key, uint64_t used, uint64_t limit)
{
	if (limit)
		add(array, key, json_integer((json_int_t)used), json_integer((json_int_t)limit));
}

static void add_rate(json_t *array, const char *key, const struct rate_limit *rate, uint64_t full_ns,
	uint64_t now_ns)
{
	struct bucket bucket = { full_ns };
	uint64_t used = bucket_used(
		&bucket, bucket_rule(rate->count, rate->per_ms, rate->burst), now_ns);
	if (rate->count)
		add_number(array, key, used < rate->burst ? used : rate->burst, rate->burst);
}

static void add_load(json_t *array, double limit)
{
	double load;
	if (limit <= 0)
		return;
	bool is_known = getloadavg(&load, 1) == 1;
	add(array, "max_load", is_known ? json_real(load) : NULL, json_real(limit));
}

static void add_hours(json_t *array, const struct service *service)
{
	const struct service_config *config = service->config;
	const struct service_admission *admission = config->admission;
	const struct zone *zone = &service->supervisor->zone;
	int64_t wall_s = clock_wall_ms() / 1000;
	if (!admission->n_windows || !zone->n)
		return;
	int64_t change_s =
		hours_next_change(admission->windows, admission->n_windows, zone, wall_s);
	json_array_append_new(array,
		json_pack("{s:s, s:n, s:n, s:b, s:o}", "key", "hours", "used", "limit", "open",
			hours_are_open(admission->windows, admission->n_windows, zone, wall_s),
			"changes_at",
			change_s == INT64_MAX ? json_null() : json_integer(change_s * 1000)));
}

/* Who answers datagrams keeps its limit to itself. */
static void add_datagram_rate(json_t *array, const struct service_config *config)
{
	if (service_answers_datagrams(config) && config->admission->rate.count)
		add(array, "rate", NULL, json_integer(config->admission->rate.burst));
}

json_t *snapshot_limits(const struct service *service, uint64_t now_ns)
{
	const struct service_config *config = service->config;
	json_t *array = json_array();
	if (!service->acceptor) {
		add_datagram_rate(array, config);
		return array;
	}
	const struct score *score = acceptor_score(service->acceptor, service->slot);
	int depth = service->queue[1] >= 0 ? handoff_queue_depth(service->queue[1]) : 0;
	add_hours(array, service);
	add_load(array, config->admission->max_load);
	uint32_t live = score_get(score->live), held = score_get(score->held);
	add_number(array, "max_connections", live > held ? live - held : 0,
		config->admission->max_connections);
	add_number(array, "max_per_source", score_get(score->most_per_source),
		config->admission->max_per_source);
	add_rate(array, "rate", &config->admission->rate, score_get(score->rate_full_ns), now_ns);
	add_rate(array, "rate_per_source", &config->admission->rate_per_source,
		score_get(score->source_rate_full_ns), now_ns);
	add_number(array, "queue", depth < 0 ? 0 : (uint64_t)depth, config->supervision->queue);
	return array;
}
