#include "ctl/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32, ITEMS_FIRST = 256, DIGITS_MAX = 18 };

/* ---- cutting --------------------------------------------------------------------------------- */

/* Each of these returns what lies behind, or NULL if it is not JSON. */

static const char *skip_space(const char *p)
{
	while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
		p++;
	return p;
}

static const char *skip_string(const char *p)
{
	for (p++; *p != '"'; p++)
		if ((unsigned char)*p < ' ' || (*p == '\\' && !*++p))
			return NULL;
	return p + 1;
}

/* A number, or one of the three words: whoever reads it sees to that. */
static const char *skip_word(const char *p)
{
	const char *begin = p;
	while ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || *p == '-' || *p == '+' ||
		*p == '.' || *p == 'E')
		p++;
	return p > begin ? p : NULL;
}

static const char *skip_value(const char *p, int depth);

/* A member of an object: name and value as they stand there, strings with their quotes. */
struct piece {
	const char *name, *value;
	size_t name_length, value_length;
};

/* The name at p and the colon, up to the value. */
static const char *skip_name(const char *p, struct piece *ret)
{
	const char *end = *p == '"' ? skip_string(p) : NULL;
	if (!end)
		return NULL;
	ret->name = p + 1;
	ret->name_length = (size_t)(end - p) - 2;
	end = skip_space(end);
	ret->value = *end == ':' ? skip_space(end + 1) : NULL;
	return ret->value;
}

/* From behind a member or an item to the next one, or to the bracket that closes. */
static const char *skip_comma(const char *p, char closing)
{
	p = p ? skip_space(p) : NULL;
	if (!p || *p == closing)
		return p;
	return *p == ',' ? skip_space(p + 1) : NULL;
}

static const char *skip_value(const char *p, int depth);

static const char *skip_items(const char *p, char closing, int depth)
{
	struct piece unused;
	p = skip_space(p + 1);
	while (p && *p != closing) {
		if (closing == '}')
			p = skip_name(p, &unused);
		if (p)
			p = skip_comma(skip_value(p, depth - 1), closing);
	}
	return p ? p + 1 : NULL;
}

static const char *skip_value(const char *p, int depth)
{
	if (!depth)
		return NULL;
	switch (*p) {
	case '"':
		return skip_string(p);
	case '{':
		return skip_items(p, '}', depth);
	case '[':
		return skip_items(p, ']', depth);
	default:
		return skip_word(p);
	}
}

/*
 * The member at *p, which is moved to the next; from behind the opening bracket on. The text has been
 * through skip_value. False: there is none left.
 */
static bool next_member(const char **p, struct piece *ret)
{
	const char *at = skip_space(*p);
	if (*at == '}')
		return false;
	const char *end = skip_value(skip_name(at, ret), DEPTH_MAX);
	ret->value_length = (size_t)(end - ret->value);
	*p = skip_comma(end, '}');
	return true;
}

static bool is_named(const struct piece *piece, const char *name)
{
	return piece->name_length == strlen(name) && !memcmp(piece->name, name, piece->name_length);
}

static bool is_word(const struct piece *piece, const char *word)
{
	return piece->value_length == strlen(word) && !memcmp(piece->value, word, piece->value_length);
}

/* ---- taking ---------------------------------------------------------------------------------- */

static bool add_item(struct records *records, const char *text, size_t length)
{
	if (records->n == records->room) {
		size_t room = records->room ? 2 * records->room : ITEMS_FIRST;
		struct record *items = realloc(records->items, room * sizeof *items);
		if (!items)
			return false;
		records->items = items;
		records->room = room;
	}
	records->items[records->n++] = (struct record){ text, length };
	return true;
}

/* What is being taken from a message. */
struct taking {
	struct records *records;
	const char *name; /* of the array */
	struct records_piece piece;
	bool has_rows, is_short; /* of memory */
};

/* Of the array at p: what lies behind it, or NULL. */
static const char *take_items(struct taking *taking, const char *p)
{
	if (*p != '[' || taking->has_rows)
		return NULL;
	taking->has_rows = true;
	p = skip_space(p + 1);
	while (p && *p != ']') {
		const char *end = *p == '{' ? skip_value(p, DEPTH_MAX) : NULL;
		if (!end)
			return NULL;
		taking->is_short = !add_item(taking->records, p, (size_t)(end - p));
		p = taking->is_short ? NULL : skip_comma(end, ']');
	}
	return p ? p + 1 : NULL;
}

/* The same of an object, of which `take` takes the members: the value of one is at p. */
static const char *take_object(struct taking *taking, const char *p,
	const char *(*take)(struct taking *taking, struct piece *piece))
{
	struct piece piece;
	if (*p != '{')
		return NULL;
	p = skip_space(p + 1);
	while (p && *p != '}')
		p = skip_name(p, &piece) ? skip_comma(take(taking, &piece), '}') : NULL;
	return p ? p + 1 : NULL;
}

static const char *skip_piece(struct piece *piece)
{
	const char *end = skip_value(piece->value, DEPTH_MAX);
	piece->value_length = end ? (size_t)(end - piece->value) : 0;
	return end;
}

static const char *take_parameter(struct taking *taking, struct piece *piece)
{
	if (is_named(piece, taking->name))
		return take_items(taking, piece->value);
	const char *end = skip_piece(piece);
	if (is_named(piece, "complete"))
		taking->piece.is_incomplete = is_word(piece, "false");
	return end;
}

static const char *take_member(struct taking *taking, struct piece *piece)
{
	if (is_named(piece, "parameters"))
		return take_object(taking, piece->value, take_parameter);
	if (is_named(piece, "error"))
		return NULL;
	const char *end = skip_piece(piece);
	if (is_named(piece, "continues"))
		taking->piece.continues = is_word(piece, "true");
	return end;
}

static int take_message(struct taking *taking, const char *message)
{
	const char *end = take_object(taking, skip_space(message), take_member);
	if (taking->is_short)
		return -ENOMEM;
	return end && !*skip_space(end) && taking->has_rows ? 0 : -EBADMSG;
}

int records_take(
	struct records *records, const char *message, const char *name, struct records_piece *ret)
{
	size_t n = records->n;
	struct taking taking = { .records = records, .name = name };
	char **messages = realloc(records->messages, (records->n_messages + 1) * sizeof *messages);
	if (!messages)
		return -ENOMEM;
	records->messages = messages;
	char *copy = strdup(message);
	int r = copy ? take_message(&taking, copy) : -ENOMEM;
	if (r < 0) {
		records->n = n;
		free(copy);
		return r;
	}
	messages[records->n_messages++] = copy;
	*ret = taking.piece;
	return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A plain integer. */
static bool read_integer(const struct piece *piece, json_int_t *ret)
{
	size_t i = piece->value[0] == '-', first = i;
	json_int_t number = 0;
	if (piece->value_length == i || piece->value_length - i > DIGITS_MAX)
		return false;
	for (; i < piece->value_length; i++) {
		if (piece->value[i] < '0' || piece->value[i] > '9')
			return false;
		number = number * 10 + (piece->value[i] - '0');
	}
	*ret = first ? -number : number;
	return true;
}

/* A string in which nothing is escaped. */
static bool is_plain_text(const struct piece *piece)
{
	return piece->value[0] == '"' && !memchr(piece->value, '\\', piece->value_length);
}

static json_t *make_value(const struct piece *piece)
{
	json_int_t number;
	json_t *value = NULL;
	if (read_integer(piece, &number))
		value = json_integer(number);
	else if (is_plain_text(piece))
		value = json_stringn(piece->value + 1, piece->value_length - 2);
	else if (!is_word(piece, "null"))
		value = json_loadb(piece->value, piece->value_length, JSON_DECODE_ANY, NULL);
	return value ? value : json_null();
}

/* Most often the value before was of the same type, and takes the new one. */
static bool change_value(json_t *value, const struct piece *piece)
{
	json_int_t number;
	if (json_is_integer(value) && read_integer(piece, &number))
		return json_integer_set(value, number) == 0;
	if (json_is_string(value) && is_plain_text(piece))
		return json_string_setn(value, piece->value + 1, piece->value_length - 2) == 0;
	return json_is_null(value) && is_word(piece, "null");
}

static void set_member(struct records *records, struct record_member *member, const struct piece *piece)
{
	if (member->value && !change_value(member->value, piece)) {
		member->value = make_value(piece);
		json_object_set_new(records->row, member->name, member->value);
	}
}

static void forget_members(struct records *records)
{
	for (size_t i = 0; i < records->n_members; i++)
		free(records->members[i].name);
	records->n_members = 0;
	json_decref(records->row);
	records->row = json_object();
}

/* Of two members with one name the first counts. */
static void add_member(struct records *records, const struct piece *piece)
{
	char *name = strndup(piece->name, piece->name_length);
	if (!name)
		return;
	bool is_new = !json_object_get(records->row, name);
	json_t *value = is_new ? make_value(piece) : NULL;
	if (value && json_object_set_new(records->row, name, value) < 0)
		value = NULL;
	records->members[records->n_members++] = (struct record_member){ name, piece->name_length, value };
}

static bool is_member(const struct record_member *member, const struct piece *piece)
{
	return member->name_length == piece->name_length &&
	       !memcmp(member->name, piece->name, piece->name_length);
}

/* False: its members are not those of the row before. */
static bool read_same(struct records *records, const char *p)
{
	struct piece piece;
	size_t i = 0;
	for (; next_member(&p, &piece); i++) {
		if (i >= records->n_members || !is_member(&records->members[i], &piece))
			return false;
		set_member(records, &records->members[i], &piece);
	}
	return i == records->n_members;
}

const json_t *records_at(struct records *records, size_t i)
{
	struct piece piece;
	const char *p = records->items[i].text + 1;
	if (records->row && read_same(records, p))
		return records->row;
	forget_members(records);
	while (records->n_members < RECORD_MEMBERS_MAX && next_member(&p, &piece))
		add_member(records, &piece);
	return records->row;
}

json_t *records_to_json(const struct records *records)
{
	json_t *array = json_array();
	for (size_t i = 0; i < records->n; i++) {
		const struct record *item = &records->items[i];
		json_array_append_new(array, json_loadb(item->text, item->length, 0, NULL));
	}
	return array;
}

static void print_item(FILE *out, const struct record *item)
{
	struct piece piece;
	const char *p = item->text + 1, *separator = "\n      \"";
	fputs("    {", out);
	while (next_member(&p, &piece)) {
		fputs(separator, out);
		fwrite(piece.name, 1, piece.name_length, out);
		fputs("\": ", out);
		fwrite(piece.value, 1, piece.value_length, out);
		separator = ",\n      \"";
	}
	fputs("\n    }", out);
}

void records_print(FILE *out, const struct records *records)
{
	const char *separator = "\n";
	fputc('[', out);
	for (size_t i = 0; i < records->n; i++) {
		fputs(separator, out);
		print_item(out, &records->items[i]);
		separator = ",\n";
	}
	fputs(records->n ? "\n  ]" : "]", out);
}

void records_fini(struct records *records)
{
	for (size_t i = 0; i < records->n_messages; i++)
		free(records->messages[i]);
	for (size_t i = 0; i < records->n_members; i++)
		free(records->members[i].name);
	json_decref(records->row);
	free(records->messages);
	free(records->items);
	*records = (struct records){ 0 };
}
