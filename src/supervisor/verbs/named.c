#include "supervisor/verbs/named.h"

#include <stdlib.h>
#include <string.h>

#include "admin/server.h"
#include "base/text.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"

void refuse_unknown(struct supervisor *supervisor, struct admin_call *call, const char *name)
{
	const char **names = calloc(supervisor->n_services + 1, sizeof *names);
	const char *suggestion = NULL;
	for (size_t i = 0; names && i < supervisor->n_services; i++)
		names[i] = supervisor->services[i]->config->name;
	if (names)
		suggestion = text_closest(name, names, supervisor->n_services);
	admin_error(call, "org.fdsup.UnknownService",
		json_pack("{s:s, s:s?}", "service", name, "suggestion", suggestion));
	free(names);
}

static bool is_listed(const struct supervisor *supervisor, const char *name)
{
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (!strcmp(supervisor->services[i]->config->name, name))
			return true;
	return false;
}

bool named_services(struct supervisor *supervisor, struct admin_call *call,
	const json_t *parameters, bool may_mean_all, json_t **ret_names)
{
	const json_t *given = json_object_get(parameters, "services");
	bool is_list = !given || json_is_null(given) || json_is_array(given);
	if (is_list && json_array_size(given) == 0 && may_mean_all) {
		*ret_names = NULL;
		return true;
	}
	json_t *names = json_array();
	size_t i;
	json_t *item;
	json_array_foreach(given, i, item) {
		const char *name = json_string_value(item);
		bool is_known = name && (may_mean_all ? is_listed(supervisor, name)
						      : supervisor_find(supervisor, name) != NULL);
		if (is_known) {
			json_array_append(names, item);
			continue;
		}
		json_decref(names);
		if (name)
			refuse_unknown(supervisor, call, name);
		else
			admin_error(call, "InvalidParameter",
				json_pack("{s:s}", "parameter", "services"));
		return false;
	}
	if (json_array_size(names) > 0) {
		*ret_names = names;
		return true;
	}
	json_decref(names);
	admin_error(call, "InvalidParameter", json_pack("{s:s}", "parameter", "services"));
	return false;
}

bool is_asked_for(const json_t *names, const char *name)
{
	size_t i;
	json_t *item;
	if (!names)
		return true;
	json_array_foreach(names, i, item)
		if (!strcmp(json_string_value(item), name))
			return true;
	return false;
}
