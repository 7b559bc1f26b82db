#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "supervisor/succession/saved.h"
#include "supervisor/succession/state.h"
#include "supervisor/supervisor.h"

struct thing {
	bool is_on;
	uint32_t number;
	uint64_t large;
	int32_t negative;
	double share;
	char *text;
	int fd;
	int sum; /* by a pair */
};

static json_t *save_sum(const void *object, struct state_fds *fds)
{
	(void)fds;
	const struct thing *thing = object;
	return thing->sum ? json_pack("[i]", thing->sum) : NULL;
}

static int restore_sum(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds;
	((struct thing *)object)->sum = (int)json_integer_value(json_array_get(value, 0));
	if (json_array_size(value) == 1)
		return 0;
	strcpy(error, "a sum has one number");
	return -EINVAL;
}

static const struct state_row rows[] = {
	STATE_FIELD(STATE_BOOL, struct thing, is_on),
	STATE_FIELD(STATE_UNSIGNED, struct thing, number),
	STATE_FIELD(STATE_UNSIGNED, struct thing, large),
	STATE_FIELD(STATE_SIGNED, struct thing, negative),
	STATE_FIELD(STATE_REAL, struct thing, share),
	STATE_FIELD(STATE_TEXT, struct thing, text),
	STATE_FIELD(STATE_FD, struct thing, fd),
	STATE_PAIR("sum", save_sum, restore_sum),
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static const struct thing sample = {
	.is_on = true,
	.number = UINT32_MAX,
	.large = INT64_MAX,
	.negative = -5,
	.share = 0.25,
	.text = "a \"text\"\n",
	.fd = 7,
	.sum = 3,
};

static int restore(const char *text, struct thing *thing, char error[STATE_ERROR_SIZE])
{
	json_t *json = json_loads(text, 0, NULL);
	struct state_fds none = { 0 };
	cr_assert_not_null(json);
	*thing = (struct thing){ .fd = -1 };
	int r = state_restore_rows(rows, N_ROWS, thing, json, &none, error);
	json_decref(json);
	return r;
}

Test(state, a_struct_comes_back_as_it_was)
{
	struct state_fds fds = { 0 };
	char error[STATE_ERROR_SIZE];
	struct thing thing = { .fd = -1 };
	json_t *json = state_save_rows(rows, N_ROWS, &sample, &fds);
	cr_assert_eq(fds.n, 1);
	cr_assert_eq(state_restore_rows(rows, N_ROWS, &thing, json, &fds, error), 0);
	cr_expect(thing.is_on);
	cr_expect_eq(thing.number, UINT32_MAX);
	cr_expect_eq(thing.large, (uint64_t)INT64_MAX);
	cr_expect_eq(thing.negative, -5);
	cr_expect_eq(thing.share, 0.25);
	cr_expect_str_eq(thing.text, sample.text);
	cr_expect_eq(thing.fd, 7);
	cr_expect_eq(thing.sum, 3);
	cr_expect_eq(fds.items[0], -1, "a descriptor has one owner");
	free(thing.text);
	free(fds.items);
	json_decref(json);
}

Test(state, what_is_zero_takes_no_room)
{
	const struct thing nothing = { .fd = -1 };
	struct state_fds fds = { 0 };
	json_t *json = state_save_rows(rows, N_ROWS, &nothing, &fds);
	cr_expect_eq(json_object_size(json), 1, "the real number alone");
	cr_expect_eq(fds.n, 0);
	json_decref(json);
}

Test(state, rows_that_are_missing_or_unknown_are_passed_over)
{
	struct thing thing;
	char error[STATE_ERROR_SIZE];
	cr_assert_eq(restore("{\"number\": 4, \"of_a_later_version\": [1, {}]}", &thing, error), 0);
	cr_expect_eq(thing.number, 4);
	cr_expect_eq(thing.fd, -1);
	cr_expect_null(thing.text);
}

Test(state, nonsense_is_refused_by_name)
{
	struct thing thing;
	char error[STATE_ERROR_SIZE];
	cr_expect_eq(restore("{\"number\": \"four\"}", &thing, error), -EINVAL);
	cr_expect_str_eq(error, "\"number\" makes no sense");
	cr_expect_eq(restore("{\"is_on\": 1}", &thing, error), -EINVAL);
	cr_expect_eq(restore("{\"text\": null}", &thing, error), -EINVAL);
	cr_expect_eq(restore("{\"fd\": 0}", &thing, error), -EINVAL, "there is no descriptor");
	cr_expect_eq(restore("{\"fd\": -1}", &thing, error), -EINVAL);
	cr_expect_eq(restore("{\"sum\": []}", &thing, error), -EINVAL);
	cr_expect_str_eq(error, "a sum has one number");
}

static int make_file(void)
{
	struct state state = { 0 };
	struct state_fds fds = { 0 };
	json_t *json = state_save_rows(rows, N_ROWS, &sample, &fds);
	json_object_set_new(json, "much", state_save_bytes("\0much\xff", 6, &fds));
	json_object_set_new(json, "more", state_save_bytes("more", 4, &fds));
	cr_assert_eq(state_add(&state, "thing/1", json, &fds), 0);
	cr_assert_eq(state_add(&state, "other", json_pack("{s:i}", "a", 1), &fds), 0);
	int fd = state_write(&state);
	cr_assert_geq(fd, 0);
	state_free(&state);
	return fd;
}

Test(state, a_file_comes_back_as_it_was)
{
	struct state state;
	char error[STATE_ERROR_SIZE];
	fd_auto int fd = make_file();
	cr_assert_eq(state_read(fd, &state, error), 0, "%s", error);
	cr_assert_eq(state.n, 2);
	const struct state_record *record = state_find(&state, "thing/1");
	cr_assert_not_null(record);
	cr_expect_eq(record->fds.n, 1);
	cr_expect_eq(record->fds.items[0], 7);
	cr_expect_eq(json_integer_value(json_object_get(record->json, "negative")), -5);
	const char *bytes;
	size_t n;
	cr_assert_eq(
		state_restore_bytes(json_object_get(record->json, "much"), &record->fds, &bytes, &n), 0);
	cr_expect(n == 6 && !memcmp(bytes, "\0much\xff", 6));
	cr_assert_eq(
		state_restore_bytes(json_object_get(record->json, "more"), &record->fds, &bytes, &n), 0);
	cr_expect(n == 4 && !memcmp(bytes, "more", 4));
	cr_expect_not_null(state_find(&state, "other"));
	cr_expect_null(state_find(&state, "thing"));
	state_free(&state);
}

Test(state, bytes_that_are_not_there_are_refused)
{
	static const char *const places[] = { "[]", "1", "[0, 0]", "[0, 5]", "[4, 1]", "[-1, 1]", "[5, -1]",
		"[1, 9223372036854775807]", "{}" };
	struct state_fds fds = { 0 };
	const char *bytes;
	size_t n;
	cr_expect_null(state_save_bytes("", 0, &fds));
	json_decref(state_save_bytes("four", 4, &fds));
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		json_t *place = json_loads(places[i], JSON_DECODE_ANY, NULL);
		cr_assert_not_null(place);
		cr_expect_eq(state_restore_bytes(place, &fds, &bytes, &n), -EINVAL, "%s", places[i]);
		json_decref(place);
	}
	free(fds.bytes);
}

/* Whatever is cut off or flipped: a sentence, and nothing that is half. */
Test(state, a_broken_file_is_refused)
{
	struct state state;
	char error[STATE_ERROR_SIZE];
	fd_auto int fd = make_file();
	off_t size = lseek(fd, 0, SEEK_END);
	for (off_t at = 0; at < size; at++) {
		char byte;
		cr_assert_eq(pread(fd, &byte, 1, at), 1);
		char other = (char)(byte ^ 0x40);
		cr_assert_eq(pwrite(fd, &other, 1, at), 1);
		*error = 0;
		int r = state_read(fd, &state, error);
		/* Four bytes of the head mean nothing. */
		if (r == 0) {
			cr_expect(at >= 12 && at < 16, "byte %d", (int)at);
			state_free(&state);
		} else {
			cr_expect_neq(*error, 0);
			cr_expect_eq(state.n, 0);
		}
		cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
	}
	for (off_t length = 0; length < size; length++) {
		cr_assert_eq(ftruncate(fd, length), 0);
		fd_auto int copy = make_file();
		cr_assert_eq(ftruncate(copy, length), 0);
		cr_expect_lt(state_read(copy, &state, error), 0, "length %d", (int)length);
	}
}

static int try_format(int format, int readable_from, char error[STATE_ERROR_SIZE])
{
	struct state state = { 0 };
	struct state_fds fds = { 0 };
	struct supervisor supervisor = { .is_check = true, .pack_fd = -1 };
	state_add(&state, "fdsup",
		json_pack("{s:i, s:i, s:s}", "format", format, "readable_from", readable_from,
			"version", "9.9"),
		&fds);
	int r = saved_restore(&supervisor, &state, error);
	state_free(&state);
	free(supervisor.configs);
	return r;
}

Test(state, a_format_that_is_not_understood_is_refused_by_name)
{
	char error[STATE_ERROR_SIZE];
	cr_expect_lt(try_format(STATE_FORMAT + 5, STATE_FORMAT + 1, error), 0);
	cr_expect_not_null(strstr(error, "fdsup 9.9"), "%s", error);
	cr_expect_lt(try_format(STATE_OLDEST - 1, 1, error), 0);
	cr_expect_not_null(strstr(error, "reads formats"), "%s", error);
	/* One that old readers still understand is not refused for its number. */
	cr_expect_lt(try_format(STATE_FORMAT + 5, STATE_FORMAT, error), 0);
	cr_expect_null(strstr(error, "reads formats"), "%s", error);
}
