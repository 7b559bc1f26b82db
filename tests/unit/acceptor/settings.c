/* Equal settings are there once, for as long as a service has them. */
#include "acceptor/settings.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct settings *list;

static struct control_service told(uint32_t service, const char *name, uint32_t max_connections)
{
	struct control_service settings;
	memset(&settings, 0, sizeof settings);
	settings.kind = CONTROL_SERVICE;
	settings.service = service;
	settings.max_connections = max_connections;
	settings.queue_depth = 256;
	strcpy(settings.name, name);
	return settings;
}

static struct settings *get(uint32_t service, const char *name, uint32_t max_connections)
{
	struct control_service settings = told(service, name, max_connections);
	return settings_get(&list, &settings);
}

Test(settings, those_of_services_that_are_alike_are_the_same)
{
	struct settings *one = get(1, "one", 5), *two = get(2, "two", 6), *three = get(3, "three", 5);
	cr_assert(one && two && three);
	cr_expect_eq(one, three);
	cr_expect_neq(one, two);
	cr_expect_eq(one->n_users, 2);
	cr_expect_eq(one->limits.max_connections, 5);
	cr_expect_eq(two->limits.max_connections, 6);
	settings_release(one);
	settings_release(two);
	cr_expect_eq(list, three);
	cr_expect_null(list->next);
	settings_release(three);
	cr_expect_null(list);
	settings_release(NULL);
}

Test(settings, what_is_of_one_service_makes_no_others)
{
	struct control_service settings = told(1, "one", 5);
	struct settings *first = settings_get(&list, &settings);
	settings.has_queue = settings.has_slots = settings.awaits_access = 1;
	settings.listener = 7;
	struct settings *second = settings_get(&list, &settings);
	cr_expect_eq(first, second);
	settings.redelivers = 1;
	struct settings *third = settings_get(&list, &settings);
	cr_expect_neq(first, third);
	settings_release(first);
	settings_release(second);
	settings_release(third);
	cr_expect_null(list);
}

/* The list is in order whoever goes first. */
Test(settings, go_in_any_order)
{
	enum { N = 100 };
	struct settings *all[N];
	for (uint32_t i = 0; i < N; i++)
		cr_assert_not_null(all[i] = get(i, "s", i));
	for (uint32_t i = 0; i < N; i += 3)
		settings_release(all[i]);
	unsigned n = 0;
	for (const struct settings *settings = list; settings; settings = settings->next, n++)
		cr_expect_neq(settings->told.max_connections % 3, 0);
	cr_expect_eq(n, N - 34);
	for (uint32_t i = N; i-- > 0;)
		if (i % 3)
			settings_release(all[i]);
	cr_expect_null(list);
}
