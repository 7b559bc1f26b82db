#include "supervisor/death_list.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void add(struct death_list *list, const char *service, int pid)
{
	death_list_add(list, json_pack("{s:s, s:i}", "service", service, "pid", pid));
}

static size_t count(const struct death_list *list, const char *service)
{
	json_t *deaths = death_list_last(list, service, 100000);
	size_t n = json_array_size(deaths);
	json_decref(deaths);
	return n;
}

static int first_pid(const struct death_list *list, const char *service, size_t n)
{
	json_t *deaths = death_list_last(list, service, n);
	int pid = (int)json_integer_value(json_object_get(json_array_get(deaths, 0), "pid"));
	json_decref(deaths);
	return pid;
}

Test(death_list, nothing_is_an_empty_list)
{
	struct death_list list = { 0 };
	cr_expect_eq(count(&list, NULL), 0);
	cr_expect_eq(count(&list, "a"), 0);
	death_list_fini(&list);
}

Test(death_list, the_last_ones_of_one_or_of_all)
{
	struct death_list list = { 0 };
	for (int i = 0; i < 10; i++)
		add(&list, i % 2 ? "odd" : "even", i);
	cr_expect_eq(count(&list, NULL), 10);
	cr_expect_eq(count(&list, "odd"), 5);
	cr_expect_eq(first_pid(&list, NULL, 3), 7);
	cr_expect_eq(first_pid(&list, "even", 2), 6);
	cr_expect_eq(first_pid(&list, "even", 100), 0);
	cr_expect_eq(count(&list, "none"), 0);
	death_list_fini(&list);
}

Test(death_list, of_a_service_the_last_hundred_are_kept)
{
	struct death_list list = { 0 };
	add(&list, "quiet", 1);
	for (int i = 0; i < 3 * DEATHS_KEPT_OF_SERVICE; i++)
		add(&list, "noisy", i);
	cr_expect_eq(count(&list, "noisy"), DEATHS_KEPT_OF_SERVICE);
	cr_expect_eq(first_pid(&list, "noisy", 1000), 2 * DEATHS_KEPT_OF_SERVICE);
	cr_expect_eq(count(&list, "quiet"), 1);
	death_list_fini(&list);
}

Test(death_list, who_crashes_all_the_time_does_not_make_the_others_forgotten)
{
	struct death_list list = { 0 };
	char name[16];
	for (int i = 0; i < 5; i++)
		add(&list, "quiet", i);
	for (int i = 0; i < 10 * DEATHS_KEPT; i++) {
		snprintf(name, sizeof name, "noisy-%d", i % 7);
		add(&list, name, i);
	}
	cr_expect_eq(count(&list, NULL), DEATHS_KEPT);
	cr_expect_eq(count(&list, "quiet"), 5);
	death_list_fini(&list);
}
