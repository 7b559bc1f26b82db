#include "supervisor/succession/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

/* ---- values ---------------------------------------------------------------------------------- */

static json_int_t read_unsigned(const void *field, size_t size)
{
	switch (size) {
	case 1:
		return *(const uint8_t *)field;
	case 2:
		return *(const uint16_t *)field;
	case 4:
		return *(const uint32_t *)field;
	default:
		return (json_int_t) * (const uint64_t *)field;
	}
}

static void write_unsigned(void *field, size_t size, json_int_t value)
{
	switch (size) {
	case 1:
		*(uint8_t *)field = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)field = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)field = (uint32_t)value;
		break;
	default:
		*(uint64_t *)field = (uint64_t)value;
	}
}

json_t *state_save_fd(int fd, struct state_fds *fds)
{
	int *items = fd < 0 ? NULL : realloc(fds->items, (fds->n + 1) * sizeof *items);
	if (!items)
		return NULL;
	fds->items = items;
	items[fds->n] = fd;
	return json_integer((json_int_t)fds->n++);
}

int state_restore_fd(const json_t *value, struct state_fds *fds, int *ret_fd)
{
	json_int_t i = json_integer_value(value);
	if (!value)
		return 0;
	if (!json_is_integer(value) || i < 0 || (size_t)i >= fds->n)
		return -EINVAL;
	*ret_fd = fd_take(&fds->items[i]);
	return 0;
}

static int make_room(struct state_fds *fds, size_t n)
{
	if (fds->n_bytes_max - fds->n_bytes >= n)
		return 0;
	size_t size = 2 * fds->n_bytes_max + n;
	char *bytes = realloc(fds->bytes, size);
	if (!bytes)
		return -ENOMEM;
	fds->bytes = bytes;
	fds->n_bytes_max = size;
	return 0;
}

json_t *state_save_bytes(const void *bytes, size_t n, struct state_fds *fds)
{
	if (n == 0 || make_room(fds, n) < 0)
		return NULL;
	memcpy(fds->bytes + fds->n_bytes, bytes, n);
	fds->n_bytes += n;
	return json_pack("[I, I]", (json_int_t)(fds->n_bytes - n), (json_int_t)n);
}

int state_restore_bytes(
	const json_t *value, const struct state_fds *fds, const char **ret_bytes, size_t *ret_n)
{
	json_int_t at = json_integer_value(json_array_get(value, 0));
	json_int_t n = json_integer_value(json_array_get(value, 1));
	if (at < 0 || n <= 0 || (size_t)at > fds->n_bytes || (size_t)n > fds->n_bytes - (size_t)at)
		return -EINVAL;
	*ret_bytes = fds->bytes + at;
	*ret_n = (size_t)n;
	return 0;
}

/* NULL: nothing that would have to be told. */
static json_t *save_value(
	const struct state_row *row, const void *object, struct state_fds *fds)
{
	const void *field = (const char *)object + row->offset;
	json_int_t number;
	switch (row->kind) {
	case STATE_BOOL:
		return *(const bool *)field ? json_true() : NULL;
	case STATE_UNSIGNED:
		number = read_unsigned(field, row->size);
		return number ? json_integer(number) : NULL;
	case STATE_SIGNED:
		number = row->size == 4 ? *(const int32_t *)field : *(const int64_t *)field;
		return number ? json_integer(number) : NULL;
	case STATE_REAL:
		return json_real(*(const double *)field);
	case STATE_TEXT:
		return *(char *const *)field ? json_string(*(char *const *)field) : NULL;
	case STATE_FD:
		return state_save_fd(*(const int *)field, fds);
	case STATE_PART:
		break;
	}
	return row->save(object, fds);
}

json_t *state_save_rows(
	const struct state_row *rows, size_t n, const void *object, struct state_fds *fds)
{
	json_t *json = json_object();
	for (size_t i = 0; json && i < n; i++) {
		json_t *value = save_value(&rows[i], object, fds);
		if (value)
			json_object_set_new(json, rows[i].name, value);
	}
	return json;
}

static bool is_of_kind(const struct state_row *row, const json_t *value)
{
	switch (row->kind) {
	case STATE_BOOL:
		return json_is_boolean(value);
	case STATE_REAL:
		return json_is_number(value);
	case STATE_TEXT:
		return json_is_string(value);
	case STATE_PART:
		return true;
	default:
		return json_is_integer(value);
	}
}

static int restore_value(const struct state_row *row, void *object, const json_t *value,
	struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	void *field = (char *)object + row->offset;
	switch (row->kind) {
	case STATE_BOOL:
		*(bool *)field = json_is_true(value);
		return 0;
	case STATE_UNSIGNED:
	case STATE_SIGNED:
		write_unsigned(field, row->size, json_integer_value(value));
		return 0;
	case STATE_REAL:
		*(double *)field = json_number_value(value);
		return 0;
	case STATE_TEXT:
		free(*(char **)field);
		*(char **)field = strdup(json_string_value(value));
		return *(char **)field ? 0 : -ENOMEM;
	case STATE_FD:
		return state_restore_fd(value, fds, field);
	case STATE_PART:
		break;
	}
	return row->restore(object, value, fds, error);
}

int state_restore_rows(const struct state_row *rows, size_t n, void *object, const json_t *json,
	struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_object_get(json, rows[i].name);
		if (!value)
			continue;
		*error = 0;
		int r = is_of_kind(&rows[i], value)
				? restore_value(&rows[i], object, value, fds, error)
				: -EINVAL;
		if (r < 0 && !*error)
			snprintf(error, STATE_ERROR_SIZE, "\"%s\" makes no sense", rows[i].name);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- records ------------------------------------------------------------------------------------ */

int state_add(struct state *state, const char *key, json_t *json, struct state_fds *fds)
{
	struct state_record *records =
		json ? realloc(state->records, (state->n + 1) * sizeof *records) : NULL;
	if (!records) {
		json_decref(json);
		free(fds->items);
		free(fds->bytes);
		*fds = (struct state_fds){ 0 };
		return -ENOMEM;
	}
	state->records = records;
	struct state_record *record = &records[state->n++];
	*record = (struct state_record){ .json = json, .fds = *fds };
	snprintf(record->key, sizeof record->key, "%s", key);
	*fds = (struct state_fds){ 0 };
	return 0;
}

struct state_record *state_find(const struct state *state, const char *key)
{
	for (size_t i = 0; i < state->n; i++)
		if (!strcmp(state->records[i].key, key))
			return &state->records[i];
	return NULL;
}

int state_each(const struct state *state, const char *prefix,
	int (*visit)(void *context, struct state_record *record), void *context)
{
	int r = 0;
	for (size_t i = 0; i < state->n && r == 0; i++)
		if (!strncmp(state->records[i].key, prefix, strlen(prefix)))
			r = visit(context, &state->records[i]);
	return r;
}

void state_free(struct state *state)
{
	for (size_t i = 0; i < state->n; i++) {
		struct state_record *record = &state->records[i];
		for (size_t j = 0; state->owns_fds && j < record->fds.n; j++)
			fd_close(&record->fds.items[j]);
		free(record->fds.items);
		free(record->fds.bytes);
		json_decref(record->json);
	}
	free(state->records);
	*state = (struct state){ 0 };
}
