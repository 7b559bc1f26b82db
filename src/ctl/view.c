#include "ctl/view.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ctl/complaint.h"
#include "ctl/options.h"
#include "ctl/reply.h"

static bool is_in_list(const char *list, const char *word)
{
	size_t length = strlen(word);
	for (;;) {
		size_t n = strcspn(list, ",");
		if (n == length && !strncasecmp(list, word, n))
			return true;
		if (!list[n])
			return false;
		list += n + 1;
	}
}

static bool is_wanted(const struct ctl *ctl, const json_t *row)
{
	/* Of a connection its worker is meant as well, and how far it has come. */
	const char *state = reply_text(row, "state"), *stage = reply_text(row, "stage");
	json_int_t pid = 0, worker = 0;
	reply_integer(row, "pid", &pid);
	reply_integer(row, "worker", &worker);
	if (ctl->states && !(state && is_in_list(ctl->states, state)) &&
		!(stage && is_in_list(ctl->states, stage)))
		return false;
	return !is_given(ctl, OPTION_WORKER) || pid == ctl->worker || worker == ctl->worker;
}

/* What a field is ordered by: of a use its number, of a list its first item. */
static const json_t *key_of(const json_t *value)
{
	if (json_is_object(value))
		return json_object_get(value, "used");
	return json_is_array(value) ? json_array_get(value, 0) : value;
}

/* Orders two fields: numbers by size, texts as versions ("a9" before "a10"), unknown ones last. */
static int compare_fields(const json_t *a, const json_t *b)
{
	a = key_of(a);
	b = key_of(b);
	if (json_is_number(a) && json_is_number(b)) {
		double x = json_number_value(a), y = json_number_value(b);
		return x < y ? -1 : x > y;
	}
	if (json_is_string(a) && json_is_string(b))
		return strverscmp(json_string_value(a), json_string_value(b));
	bool is_a_known = json_is_number(a) || json_is_string(a);
	bool is_b_known = json_is_number(b) || json_is_string(b);
	return (is_b_known ? 1 : 0) - (is_a_known ? 1 : 0);
}

static const char *column_name(const struct ctl *ctl)
{
	return ctl->sort + (*ctl->sort == '-');
}

static bool check_sort(const struct ctl *ctl, const struct table *table)
{
	if (!ctl->sort || table_find(table, column_name(ctl)))
		return true;
	char *names = table_names(table);
	complain("--sort: there is no column \"%s\"; there are: %s", column_name(ctl),
		names ? names : "");
	free(names);
	return false;
}

enum { STATE_SIZE = 32 };

/* The state that was meant, however its letters were written; NULL: none is close. */
static const char *closest_state(const char *const *states, size_t n, const char *word)
{
	int (*const cases[])(int) = { toupper, tolower };
	const char *closest = NULL;
	for (size_t i = 0; i < sizeof cases / sizeof *cases && !closest; i++) {
		char changed[STATE_SIZE] = "";
		for (size_t k = 0; word[k]; k++)
			changed[k] = (char)cases[i]((unsigned char)word[k]);
		closest = text_closest(changed, states, n);
	}
	return closest;
}

static void refuse_state(const char *const *states, const char *word)
{
	char *names = NULL;
	size_t size, n = 0;
	FILE *list = open_memstream(&names, &size);
	for (; states[n]; n++)
		if (list)
			fprintf(list, "%s%s", n ? " " : "", states[n]);
	if (list)
		fclose(list);
	const char *closest = closest_state(states, n, word);
	complain("--state: there is no state \"%s\"; there are: %s%s%s%s", word, names ? names : "",
		closest ? "; did you mean \"" : "", closest ? closest : "", closest ? "\"?" : "");
	free(names);
}

static bool check_states(const struct ctl *ctl, const struct table *table)
{
	const char *list = ctl->states;
	while (list && table->states) {
		char word[STATE_SIZE];
		size_t length = strcspn(list, ","), i = 0;
		snprintf(word, sizeof word, "%.*s", (int)length, list);
		while (table->states[i] && strcasecmp(table->states[i], word))
			i++;
		if (!table->states[i]) {
			refuse_state(table->states, word);
			return false;
		}
		list = list[length] ? list + length + 1 : NULL;
	}
	return true;
}

bool view_check(const struct ctl *ctl, const struct table *table)
{
	return check_sort(ctl, table) && check_states(ctl, table);
}

struct ordered {
	union {
		json_t *row;
		struct record record;
	};
	const json_t *key;
	size_t index;
};

/* Equal ones stay as they came, whichever way round. */
static int compare(const void *a, const void *b, bool is_reversed)
{
	const struct ordered *x = a, *y = b;
	int r = compare_fields(x->key, y->key);
	if (r == 0)
		return x->index < y->index ? -1 : 1;
	/* What is not known stays last. */
	bool is_known = compare_fields(x->key, NULL) && compare_fields(NULL, y->key);
	return is_reversed && is_known ? -r : r;
}

static int compare_rising(const void *a, const void *b)
{
	return compare(a, b, false);
}

static int compare_falling(const void *a, const void *b)
{
	return compare(a, b, true);
}

static void sort_items(const struct ctl *ctl, struct ordered items[], size_t n)
{
	qsort(items, n, sizeof *items, *ctl->sort == '-' ? compare_falling : compare_rising);
}

static void sort_rows(const struct ctl *ctl, const struct table *table, json_t *rows)
{
	const struct table_column *column = table_find(table, column_name(ctl));
	size_t n = json_array_size(rows);
	struct ordered *items = column ? calloc(n + 1, sizeof *items) : NULL;
	if (!items)
		return;
	for (size_t i = 0; i < n; i++) {
		items[i].row = json_incref(json_array_get(rows, i));
		items[i].key = json_object_get(items[i].row, column->field);
		items[i].index = i;
	}
	sort_items(ctl, items, n);
	json_array_clear(rows);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(rows, items[i].row);
	free(items);
}

void view_apply(
	const struct ctl *ctl, const struct table *table, json_t *parameters, const char *name)
{
	json_t *rows = json_object_get(parameters, name);
	json_t *wanted = json_array();
	for (size_t i = 0; i < json_array_size(rows); i++)
		if (is_wanted(ctl, json_array_get(rows, i)))
			json_array_append(wanted, json_array_get(rows, i));
	json_array_clear(rows);
	json_array_extend(rows, wanted);
	json_decref(wanted);
	if (ctl->sort)
		sort_rows(ctl, table, rows);
}

/* A row is read for its key, and forgotten. */
static void sort_records(const struct ctl *ctl, const struct table *table, struct records *rows)
{
	const struct table_column *column = table_find(table, column_name(ctl));
	struct ordered *items = column ? calloc(rows->n + 1, sizeof *items) : NULL;
	if (!items)
		return;
	for (size_t i = 0; i < rows->n; i++)
		items[i] = (struct ordered){
			.record = rows->items[i],
			.key = json_deep_copy(json_object_get(records_at(rows, i), column->field)),
			.index = i,
		};
	sort_items(ctl, items, rows->n);
	for (size_t i = 0; i < rows->n; i++) {
		rows->items[i] = items[i].record;
		json_decref((json_t *)items[i].key);
	}
	free(items);
}

void view_apply_records(const struct ctl *ctl, const struct table *table, struct records *rows)
{
	size_t n = 0;
	bool has_filter = ctl->states || is_given(ctl, OPTION_WORKER);
	for (size_t i = 0; has_filter && i < rows->n; i++)
		if (is_wanted(ctl, records_at(rows, i)))
			rows->items[n++] = rows->items[i];
	if (has_filter)
		rows->n = n;
	if (ctl->sort)
		sort_records(ctl, table, rows);
}
