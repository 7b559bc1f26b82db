#include "supervisor/deaths/death_list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Of one service, before its own oldest go for its newest when all together are too many. */
enum { DEATHS_FAIR = 10 };

static const char *service_of(const json_t *death)
{
	const char *name = json_string_value(json_object_get(death, "service"));
	return name ? name : "";
}

static bool is_of(const json_t *death, const char *service)
{
	return !service || !strcmp(service_of(death), service);
}

/* ---- as a text --------------------------------------------------------------------------------- */

static bool is_list(const json_t *all)
{
	size_t i;
	json_t *death;
	json_array_foreach(all, i, death)
		if (!*service_of(death))
			return false;
	return json_is_array(all) && json_array_size(all) <= DEATHS_KEPT;
}

static void read_text(struct death_list *list)
{
	if (list->all || !list->text)
		return;
	list->all = json_loads(list->text, 0, NULL);
	free(list->text);
	list->text = NULL;
	if (is_list(list->all))
		return;
	log_warning("the deaths from before the upgrade cannot be read, and are forgotten");
	json_decref(list->all);
	list->all = NULL;
}

/* It will be another one. */
static void begin_change(struct death_list *list)
{
	read_text(list);
	free(list->text);
	list->text = NULL;
	list->is_touched = true;
}

const char *death_list_save(struct death_list *list)
{
	if (!list->text && json_array_size(list->all))
		list->text = json_dumps(list->all, JSON_COMPACT);
	return list->text;
}

void death_list_forget_text(struct death_list *list)
{
	if (!list->all)
		return;
	free(list->text);
	list->text = NULL;
}

void death_list_restore(struct death_list *list, const char *text, size_t length)
{
	death_list_fini(list);
	list->text = strndup(text, length);
}

/* ---- the list ---------------------------------------------------------------------------------- */

static size_t count(const struct death_list *list, const char *service)
{
	size_t n = 0;
	for (size_t i = 0; i < json_array_size(list->all); i++)
		n += is_of(json_array_get(list->all, i), service);
	return n;
}

static void drop_oldest(struct death_list *list, const char *service)
{
	for (size_t i = 0; i < json_array_size(list->all); i++)
		if (is_of(json_array_get(list->all, i), service)) {
			json_array_remove(list->all, i);
			return;
		}
}

void death_list_add(struct death_list *list, json_t *death)
{
	begin_change(list);
	if (!list->all)
		list->all = json_array();
	if (!death || json_array_append_new(list->all, death) < 0)
		return;
	const char *service = service_of(death);
	size_t n = count(list, service);
	if (n > DEATHS_KEPT_OF_SERVICE)
		drop_oldest(list, service);
	else if (json_array_size(list->all) > DEATHS_KEPT)
		/* One that crashes all the time must not make the others forgotten. */
		drop_oldest(list, n > DEATHS_FAIR ? service : NULL);
}

json_t *death_list_last(struct death_list *list, const char *service, size_t n)
{
	read_text(list);
	json_t *array = json_array();
	size_t n_all = count(list, service), skipped = 0;
	for (size_t i = 0; i < json_array_size(list->all); i++) {
		json_t *death = json_array_get(list->all, i);
		if (is_of(death, service) && skipped++ + n >= n_all)
			json_array_append(array, death);
	}
	return array;
}

/* The number of deaths in the list: not found. */
static size_t find(
	const struct death_list *list, const char *service, const char *field, json_int_t number)
{
	size_t n = json_array_size(list->all);
	for (size_t i = n; i-- > 0;) {
		const json_t *death = json_array_get(list->all, i);
		const json_t *value = field ? json_object_get(death, field) : NULL;
		bool is_it = !field || (json_is_integer(value) && json_integer_value(value) == number);
		if (is_it && is_of(death, service))
			return i;
	}
	return n;
}

/* What is borrowed may be changed. */
json_t *death_list_find(
	struct death_list *list, const char *service, const char *field, json_int_t number)
{
	begin_change(list);
	return json_array_get(list->all, find(list, service, field, number));
}

json_t *death_list_newest(struct death_list *list, const char *service)
{
	return death_list_find(list, service, NULL, 0);
}

json_t *death_list_take(
	struct death_list *list, const char *service, const char *field, json_int_t number)
{
	begin_change(list);
	size_t i = find(list, service, field, number);
	json_t *death = json_incref(json_array_get(list->all, i));
	if (death)
		json_array_remove(list->all, i);
	return death;
}

static json_int_t time_of(const json_t *death)
{
	return json_integer_value(json_object_get(death, "at"));
}

json_t *death_list_last_of_both(struct death_list *one, struct death_list *other,
	const char *service, size_t n)
{
	json_t *deaths = death_list_last(one, service, n), *more = death_list_last(other, service, n);
	size_t i, place = 0;
	json_t *death;
	json_array_foreach(more, i, death) {
		while (place < json_array_size(deaths) &&
			time_of(json_array_get(deaths, place)) <= time_of(death))
			place++;
		json_array_insert(deaths, place, death);
	}
	json_decref(more);
	while (json_array_size(deaths) > n)
		json_array_remove(deaths, 0);
	return deaths;
}

void death_list_fini(struct death_list *list)
{
	json_decref(list->all);
	free(list->text);
	*list = (struct death_list){ 0 };
}
