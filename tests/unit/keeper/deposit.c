#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keeper/deposit.h"

static int open_one(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* A part of a record with one descriptor, or none (-1). */
static void put(struct deposit *deposit, const char *key, const char *text, int fd, bool is_last)
{
	struct keeping_message message = {
		.kind = KEEPING_PUT,
		.is_last = is_last,
		.length = (uint32_t)strlen(text),
		.n_fds = fd >= 0,
	};
	snprintf(message.key, sizeof message.key, "%s", key);
	cr_assert_eq(deposit_put(deposit, &message, text, &fd), 0);
}

struct search {
	const char *key;
	const struct record *found;
	unsigned n;
};

static int look(void *context, const struct record *record)
{
	struct search *search = context;
	if (strcmp(record_key(record), search->key))
		return 0;
	search->found = record;
	search->n++;
	return 0;
}

static const struct record *find(const struct deposit *deposit, const char *key)
{
	struct search search = { .key = key };
	deposit_each(deposit, look, &search);
	cr_expect_leq(search.n, 1, "%s is there %u times", key, search.n);
	return search.found;
}

static void expect_text(const struct deposit *deposit, const char *key, const char *text)
{
	const struct record *record = find(deposit, key);
	cr_assert_not_null(record);
	cr_expect_eq(record->length, strlen(text));
	cr_expect_eq(memcmp(record_text(record), text, strlen(text)), 0);
}

Test(deposit, a_record_takes_the_place_of_the_one_with_its_key_and_closes_its_descriptors)
{
	struct deposit deposit = { 0 };
	int first = open_one(), second = open_one();
	put(&deposit, "a", "one", first, true);
	put(&deposit, "a", "two", second, true);
	expect_text(&deposit, "a", "two");
	cr_expect_not(is_open(first));
	cr_expect(is_open(second));
	deposit_drop(&deposit, "a");
	cr_expect(deposit_is_empty(&deposit));
	cr_expect_not(is_open(second));
}

Test(deposit, a_record_of_several_parts_counts_when_it_is_whole)
{
	struct deposit deposit = { 0 };
	int old = open_one(), new_one = open_one(), more = open_one();
	put(&deposit, "a", "old", old, true);
	put(&deposit, "a", "ne", new_one, false);
	cr_expect(is_open(old));
	put(&deposit, "a", "w", more, true);
	expect_text(&deposit, "a", "new");
	cr_expect_eq(find(&deposit, "a")->n_fds, 2);
	cr_expect_eq(find(&deposit, "a")->fds[0], new_one);
	cr_expect_eq(find(&deposit, "a")->fds[1], more);
	cr_expect_not(is_open(old));
	deposit_clear(&deposit);
	cr_expect_not(is_open(new_one));
	cr_expect_not(is_open(more));
}

Test(deposit, a_change_as_a_whole_takes_effect_at_the_commit)
{
	struct deposit deposit = { 0 };
	int gone = open_one(), stays = open_one();
	put(&deposit, "a", "1", gone, true);
	put(&deposit, "b", "1", -1, true);
	deposit_begin(&deposit);
	put(&deposit, "a", "2", stays, true);
	cr_expect(is_open(gone));
	deposit_commit(&deposit);
	expect_text(&deposit, "a", "2");
	cr_expect_null(find(&deposit, "b"));
	cr_expect_not(is_open(gone));
	put(&deposit, "a", "3", -1, true);
	expect_text(&deposit, "a", "3");
	cr_expect_not(is_open(stays));
	deposit_clear(&deposit);
}

Test(deposit, a_change_whose_author_dies_leaves_what_was)
{
	struct deposit deposit = { 0 };
	int kept = open_one(), lost = open_one(), part = open_one();
	put(&deposit, "a", "1", kept, true);
	deposit_begin(&deposit);
	put(&deposit, "a", "2", lost, true);
	put(&deposit, "c", "2", part, false);
	deposit_cancel(&deposit);
	expect_text(&deposit, "a", "1");
	cr_expect_null(find(&deposit, "c"));
	cr_expect(is_open(kept));
	cr_expect_not(is_open(lost));
	cr_expect_not(is_open(part));
	/* And half a record without a change does not spoil the whole one. */
	put(&deposit, "a", "3", -1, false);
	deposit_cancel(&deposit);
	expect_text(&deposit, "a", "1");
	deposit_clear(&deposit);
	cr_expect_not(is_open(kept));
}

Test(deposit, thousands_of_them_are_found_by_their_keys)
{
	struct deposit deposit = { 0 };
	char key[KEEPING_KEY_SIZE];
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 3000; i++) {
			snprintf(key, sizeof key, "service/%d", i);
			put(&deposit, key, round ? key + 8 : "", -1, true);
		}
	for (int i = 0; i < 3000; i += 2) {
		snprintf(key, sizeof key, "service/%d", i);
		deposit_drop(&deposit, key);
		cr_expect_null(find(&deposit, key));
		snprintf(key, sizeof key, "service/%d", i + 1);
		expect_text(&deposit, key, key + 8);
	}
	deposit_clear(&deposit);
}

Test(deposit, half_a_record_is_forgotten_when_another_comes)
{
	struct deposit deposit = { 0 };
	int lost = open_one();
	put(&deposit, "a", "half", lost, false);
	put(&deposit, "b", "whole", -1, true);
	cr_expect_not(is_open(lost));
	cr_expect_null(find(&deposit, "a"));
	cr_expect_not(deposit_is_empty(&deposit));
	expect_text(&deposit, "b", "whole");
	deposit_clear(&deposit);
}
