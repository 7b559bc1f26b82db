#include "acceptor/settings.h"

#include <stdlib.h>
#include <string.h>

/* Fewer places would make a small queue turn bursts away. */
enum { HELD_PLACES_MIN = 16 };

/* Where thousands of services differ, to find the few that do not is not worth the time. */
enum { LOOKED_AT = 32 };

static struct admission_limits limits_of(const struct control_service *told)
{
	return (struct admission_limits){
		.max_connections = told->max_connections,
		.max_per_source = told->max_per_source,
		.rate = bucket_rule(told->rate_count, told->rate_per_ms, told->rate_burst),
		.rate_per_source = bucket_rule(told->source_rate_count, told->source_rate_per_ms,
			told->source_rate_burst),
		.overflow = (enum overflow_rule)told->overflow,
		.held_max =
			told->queue_depth > HELD_PLACES_MIN ? told->queue_depth : HELD_PLACES_MIN,
	};
}

static struct settings *make(const struct control_service *told)
{
	struct settings *settings = malloc(sizeof *settings);
	if (settings)
		*settings = (struct settings){
			.told = *told,
			.limits = limits_of(told),
			.lapses = { told->first_byte_ms, told->silence_ms, told->duration_ms },
		};
	return settings;
}

static void take_out(struct settings *settings)
{
	*settings->link = settings->next;
	if (settings->next)
		settings->next->link = settings->link;
}

static void put_first(struct settings **list, struct settings *settings)
{
	settings->next = *list;
	settings->link = list;
	if (settings->next)
		settings->next->link = &settings->next;
	*list = settings;
}

/* Taken out of the list; NULL: they are not among those looked at. */
static struct settings *take_known(struct settings **list, const struct control_service *told)
{
	struct settings *settings = *list;
	for (unsigned n = 0; settings && n < LOOKED_AT; n++, settings = settings->next)
		if (!memcmp(&settings->told, told, sizeof *told)) {
			take_out(settings);
			return settings;
		}
	return NULL;
}

struct settings *settings_get(struct settings **list, const struct control_service *told)
{
	struct control_service common = *told;
	memset(common.name, 0, sizeof common.name);
	common.service = common.listener = 0;
	common.has_queue = common.has_slots = common.awaits_access = 0;
	struct settings *settings = take_known(list, &common);
	if (!settings)
		settings = make(&common);
	if (!settings)
		return NULL;
	settings->n_users++;
	put_first(list, settings);
	return settings;
}

void settings_release(struct settings *settings)
{
	if (!settings || --settings->n_users)
		return;
	take_out(settings);
	free(settings);
}
