#include "supervisor/succession/saved_deaths.h"

#include <string.h>

#include "supervisor/supervisor.h"

static const char key[] = "deaths";

static json_t *save(struct death_list *list, struct state_fds *fds)
{
	const char *text = death_list_save(list);
	return text ? state_save_bytes(text, strlen(text), fds) : NULL;
}

int saved_deaths_add(struct supervisor *supervisor, struct state *state)
{
	struct state_fds fds = { 0 };
	json_t *json = json_object();
	json_object_set_new(json, "workers", save(&supervisor->deaths, &fds));
	json_object_set_new(json, "commands", save(&supervisor->command_deaths, &fds));
	return state_add(state, key, json, &fds);
}

static void restore(struct death_list *list, const struct state_record *record, const char *name)
{
	const json_t *place = record ? json_object_get(record->json, name) : NULL;
	const char *text;
	size_t length;
	if (place && state_restore_bytes(place, &record->fds, &text, &length) == 0)
		death_list_restore(list, text, length);
}

void saved_deaths_restore(struct supervisor *supervisor, const struct state *state)
{
	const struct state_record *record = state_find(state, key);
	restore(&supervisor->deaths, record, "workers");
	restore(&supervisor->command_deaths, record, "commands");
}
