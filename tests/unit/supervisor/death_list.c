#include "supervisor/deaths/death_list.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void add(struct death_list *list, const char *service, int pid)
{
	death_list_add(list, json_pack("{s:s, s:i}", "service", service, "pid", pid));
}

static size_t count(struct death_list *list, const char *service)
{
	json_t *deaths = death_list_last(list, service, 100000);
	size_t n = json_array_size(deaths);
	json_decref(deaths);
	return n;
}

static int first_pid(struct death_list *list, const char *service, size_t n)
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

/* ---- two lists, and what is in them -------------------------------------------------------------- */

static void add_at(struct death_list *list, int at, int pid)
{
	death_list_add(list, json_pack("{s:s, s:i, s:i}", "service", "a", "at", at, "pid", pid));
}

Test(death_list, the_newest_that_fits_is_found_and_can_be_taken)
{
	struct death_list list = { 0 };
	cr_expect_null(death_list_find(&list, "a", "pid", 1));
	cr_expect_null(death_list_newest(&list, "a"));
	cr_expect_null(death_list_take(&list, "a", "pid", 1));
	add_at(&list, 10, 1);
	add_at(&list, 20, 1);
	add_at(&list, 30, 2);
	add(&list, "b", 1);
	cr_expect_eq(json_integer_value(json_object_get(death_list_find(&list, "a", "pid", 1), "at")), 20);
	cr_expect_null(death_list_find(&list, "a", "pid", 3));
	cr_expect_eq(json_integer_value(json_object_get(death_list_newest(&list, "a"), "pid")), 2);
	json_t *taken = death_list_take(&list, "a", "pid", 1);
	cr_expect_eq(json_integer_value(json_object_get(taken, "at")), 20);
	json_decref(taken);
	cr_expect_eq(count(&list, NULL), 3);
	death_list_fini(&list);
}

Test(death_list, it_is_the_same_after_it_was_saved)
{
	struct death_list list = { 0 }, again = { 0 };
	cr_expect_null(death_list_save(&list), "nothing is no text");
	add(&list, "a", 1);
	add(&list, "b", 2);
	const char *text = death_list_save(&list);
	cr_assert_not_null(text);
	add(&again, "of before", 9);
	death_list_restore(&again, text, strlen(text));
	cr_expect_str_eq(death_list_save(&again), text, "it goes on as it came");
	cr_expect_eq(count(&again, NULL), 2);
	cr_expect(json_equal(again.all, list.all));
	death_list_restore(&again, text, strlen(text));
	add(&again, "a", 3);
	cr_expect_eq(count(&again, "a"), 2);
	death_list_fini(&list);
	death_list_fini(&again);
}

Test(death_list, what_is_changed_is_saved_as_it_is_then)
{
	struct death_list list = { 0 };
	add(&list, "a", 1);
	cr_assert_not_null(death_list_save(&list));
	json_object_set_new(death_list_newest(&list, "a"), "toll", json_integer(5));
	cr_expect(strstr(death_list_save(&list), "\"toll\":5"));
	json_decref(death_list_take(&list, "a", "pid", 1));
	cr_expect_null(death_list_save(&list));
	death_list_fini(&list);
}

Test(death_list, what_is_no_list_of_deaths_is_forgotten)
{
	static const char *const wrong[] = { "{}", "[ 1 ]", "[ {} ]", "[ { \"service\": 1 } ]", "[", "" };
	struct death_list list = { 0 };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		death_list_restore(&list, wrong[i], strlen(wrong[i]));
		cr_expect_eq(count(&list, NULL), 0, "%s", wrong[i]);
		add(&list, "a", 1);
		cr_expect_eq(count(&list, NULL), 1, "%s", wrong[i]);
	}
	death_list_fini(&list);
}

Test(death_list, two_are_one_in_the_order_of_time)
{
	static const int expected[] = { 2, 3, 4, 5 };
	struct death_list one = { 0 }, other = { 0 };
	add_at(&one, 1, 1), add_at(&one, 3, 3), add_at(&one, 5, 5);
	add_at(&other, 2, 2), add_at(&other, 4, 4);
	json_t *deaths = death_list_last_of_both(&one, &other, "a", 4);
	cr_assert_eq(json_array_size(deaths), 4);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(json_integer_value(json_object_get(json_array_get(deaths, i), "at")), expected[i]);
	json_decref(deaths);
	deaths = death_list_last_of_both(&one, &other, "a", 0);
	cr_expect_eq(json_array_size(deaths), 0);
	json_decref(deaths);
	death_list_fini(&one);
	death_list_fini(&other);
}
