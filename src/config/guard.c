#include "config/guard.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "config/tokens.h"

struct guard {
	struct scanner scanner;
	struct token token; /* the next one, not yet used */
	const char *file;
	struct problems *problems;
	const struct token *path[GUARD_DEPTH_MAX + 1]; /* names we are in; NULL: a list */
	size_t depth;
	struct token *names; /* of the settings in all open groups, the outer ones first */
	size_t n_names;
	size_t names_size;
	size_t n_settings;
	bool has_duplicates;
	struct guard_services services;
};

/* The functions below return 0 or -errno; -EINVAL: a problem was told that ends the reading. */
static int read_value(struct guard *guard, bool in_list);

static void advance(struct guard *guard)
{
	guard->token = scanner_next(&guard->scanner);
}

enum { PATH_SIZE = 256 };

/* "services.rsync.port"; cut where it is absurdly long. Returns text. */
static char *path_text(const struct guard *guard, char text[PATH_SIZE])
{
	size_t used = 0;
	text[0] = 0;
	for (size_t i = 0; i < guard->depth && used < PATH_SIZE - 8; i++) {
		const struct token *name = guard->path[i];
		if (!name)
			continue;
		int length = name->length > 64 ? 64 : (int)name->length;
		used += (size_t)snprintf(text + used, PATH_SIZE - used, "%s%.*s", used ? "." : "",
			length, name->start);
	}
	return text;
}

/* The token as it is shown: in quotes, escaped, cut. */
static char *shown(const struct token *token, char result[QUOTE_SIZE])
{
	char text[QUOTE_SIZE];
	size_t length = token->length < sizeof text - 1 ? token->length : sizeof text - 1;
	if (token->kind == TOKEN_END)
		return strcpy(result, "the end of the file");
	memcpy(text, token->start, length);
	text[length] = 0;
	/* A string stands in quotes already. */
	if (token->kind != TOKEN_STRING)
		return quote(result, text);
	text_escape(result, QUOTE_SIZE, text, length);
	return result;
}

static int complain(struct guard *guard, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Tells a syntax error. One that the scanner met counts more: it made the parser stumble. */
static int complain(struct guard *guard, unsigned line, const char *format, ...)
{
	char text[256];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (guard->token.kind == TOKEN_BROKEN)
		problem_add(guard->problems, guard->file, guard->token.line, NULL, "%s",
			guard->scanner.reason);
	else
		problem_add(guard->problems, guard->file, line, NULL, "%s", text);
	return -EINVAL;
}

/* Digits, then a fraction or an exponent or both. */
static bool is_float(const char *p, const char *end)
{
	size_t n_digits = 0;
	for (; p < end && isdigit((unsigned char)*p); p++)
		n_digits++;
	if (p < end && *p == '.')
		for (p++; p < end && isdigit((unsigned char)*p); p++)
			n_digits++;
	if (n_digits == 0)
		return false;
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		if (p == end)
			return false;
		while (p < end && isdigit((unsigned char)*p))
			p++;
	}
	return p == end;
}

/* 0, or -EINVAL (not a whole number), or -ERANGE (beyond 32 bits, or marked as 64 bits wide). */
static int check_integer(const char *p, const char *end)
{
	bool is_negative = p < end && *p == '-';
	p += p < end && (*p == '-' || *p == '+');
	unsigned base = end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X') ? 16 : 10;
	p += base == 16 ? 2 : 0;
	if (p == end || !isxdigit((unsigned char)*p))
		return -EINVAL;
	uint64_t value = 0;
	uint64_t most = (uint64_t)INT32_MAX + is_negative;
	int r = 0;
	for (; p < end && isxdigit((unsigned char)*p); p++) {
		unsigned digit = isdigit((unsigned char)*p) ? (unsigned)(*p - '0')
							    : (unsigned)(tolower(*p) - 'a' + 10);
		if (digit >= base)
			return -EINVAL;
		value = value > most ? value : value * base + digit;
		r = value > most ? -ERANGE : r;
	}
	if (p < end && *p == 'L') {
		r = -ERANGE;
		p += end - p > 1 && p[1] == 'L' ? 2 : 1;
	}
	return p == end ? r : -EINVAL;
}

/* libconfig 1.5 takes a number beyond 32 bits modulo 2^32: 4294967376 would be port 80. */
static int check_number(struct guard *guard)
{
	const struct token *token = &guard->token;
	const char *end = token->start + token->length;
	char number[QUOTE_SIZE], path[PATH_SIZE];
	int r = check_integer(token->start, end);
	bool has_sign = *token->start == '-' || *token->start == '+';
	if (r == -EINVAL && is_float(token->start + has_sign, end))
		r = 0;
	if (r == -EINVAL)
		return complain(guard, token->line,
			"%s is not a number; put it in quotes: \"%.*s\"", shown(token, number),
			token->length > 64 ? 64 : (int)token->length, token->start);
	if (r == -ERANGE) {
		problem_add(guard->problems, guard->file, token->line, path_text(guard, path),
			"%s is wider than 32 bits; write a number from %d to %d, without an L",
			shown(token, number), INT32_MIN, INT32_MAX);
		memset(token->start, ' ', token->length);
		*token->start = '0';
	}
	advance(guard);
	return 0;
}

/* Neighbours are one string for libconfig; in a list that is nearly always a forgotten comma. */
static int read_string(struct guard *guard, bool in_list)
{
	unsigned line = guard->token.line;
	size_t length = 0;
	do {
		length += guard->token.length;
		advance(guard);
	} while (guard->token.kind == TOKEN_STRING && !in_list);
	if (length > TOKEN_LENGTH_MAX)
		return complain(guard, line, "this text is longer than 64 KiB; shorten it");
	return 0;
}

static bool token_is(const struct token *token, const char *word)
{
	return token->length == strlen(word) && !strncasecmp(token->start, word, token->length);
}

static int read_word(struct guard *guard)
{
	const struct token *token = &guard->token;
	char word[QUOTE_SIZE];
	if (token_is(token, "true") || token_is(token, "false")) {
		advance(guard);
		return 0;
	}
	shown(token, word);
	if (token_is(token, "yes") || token_is(token, "on"))
		return complain(guard, token->line, "%s is not understood; write true", word);
	if (token_is(token, "no") || token_is(token, "off"))
		return complain(guard, token->line, "%s is not understood; write false", word);
	return complain(guard, token->line, "a text needs quotes; write %s", word);
}

static bool is_in_services(const struct guard *guard)
{
	static const char name[] = "services";
	return guard->depth == 1 && guard->path[0]->length == sizeof name - 1 &&
	       !memcmp(guard->path[0]->start, name, sizeof name - 1);
}

/* One more value, the n-th of a group or list that may hold `most`. */
static int count_setting(struct guard *guard, size_t n, size_t most)
{
	if (++guard->n_settings > GUARD_SETTINGS_MAX)
		return complain(guard, guard->token.line,
			"the file has more than %d values; split it into the files of an included "
			"folder",
			GUARD_SETTINGS_MAX);
	if (n >= most)
		return complain(guard, guard->token.line,
			"there are more than %zu values in one group or list; remove some", most);
	return 0;
}

/* One value of a list and the comma behind it. */
static int read_item(struct guard *guard, char closing)
{
	const struct token *token = &guard->token;
	char found[QUOTE_SIZE];
	if (token->kind == TOKEN_OPEN && closing == ']')
		return complain(guard, token->line,
			"[ ] holds single values only; write ( ) around groups and lists");
	int r = read_value(guard, true);
	if (r < 0 || token->kind == TOKEN_CLOSE || token->kind == TOKEN_END)
		return r;
	if (token->kind != TOKEN_COMMA)
		return complain(guard, token->line,
			"a comma or \"%c\" is missing before %s; add it", closing,
			shown(token, found));
	unsigned line = token->line;
	advance(guard);
	if (token->kind == TOKEN_CLOSE)
		return complain(guard, line, "there is nothing behind this comma; remove it");
	return 0;
}

static int read_list(struct guard *guard, char closing, unsigned opened)
{
	const struct token *token = &guard->token;
	for (size_t n = 0; token->kind != TOKEN_CLOSE && token->kind != TOKEN_END; n++) {
		int r = count_setting(guard, n, GUARD_LIST_MAX);
		if (r == 0)
			r = read_item(guard, closing);
		if (r < 0)
			return r;
	}
	if (token->kind == TOKEN_END)
		return complain(guard, opened,
			"the list that begins here is not closed; add the missing \"%c\"", closing);
	if (*token->start != closing)
		return complain(guard, token->line,
			"\"%c\" cannot close the list of line %u; write \"%c\"", *token->start,
			opened, closing);
	advance(guard);
	return 0;
}

/* Any order that brings equal names together, in the order of their lines. */
static int compare_names(const void *a, const void *b)
{
	const struct token *left = a, *right = b;
	if (left->length != right->length)
		return left->length < right->length ? -1 : 1;
	int order = memcmp(left->start, right->start, left->length);
	return order ? order : (left->start > right->start) - (left->start < right->start);
}

/* Forgets the names of the group that ends, and tells which were given twice. */
static void close_names(struct guard *guard, size_t first)
{
	struct token *names = guard->names + first;
	size_t n = guard->n_names - first;
	char path[PATH_SIZE];
	if (n > 1)
		qsort(names, n, sizeof *names, compare_names);
	for (size_t i = 1; i < n; i++) {
		if (names[i].length != names[i - 1].length ||
			memcmp(names[i].start, names[i - 1].start, names[i].length))
			continue;
		guard->path[guard->depth++] = &names[i];
		problem_add(guard->problems, guard->file, names[i].line, path_text(guard, path),
			"is given in line %u as well; remove or rename one of the two",
			names[i - 1].line);
		guard->depth--;
		guard->has_duplicates = true;
	}
	guard->n_names = first;
}

static int remember_name(struct guard *guard, const struct token *name)
{
	if (guard->n_names == guard->names_size) {
		size_t size = guard->names_size ? guard->names_size * 2 : 256;
		struct token *names = realloc(guard->names, size * sizeof *names);
		if (!names)
			return -ENOMEM;
		guard->names = names;
		guard->names_size = size;
	}
	guard->names[guard->n_names++] = *name;
	return 0;
}

/* One `name = value;` of a group. */
static int read_setting(struct guard *guard, size_t n_in_group)
{
	struct token name = guard->token;
	char found[QUOTE_SIZE], shown_name[QUOTE_SIZE];
	if (name.kind == TOKEN_SEMICOLON || name.kind == TOKEN_COMMA)
		return complain(guard, name.line, "there is nothing before this %s; remove it",
			shown(&name, found));
	if (name.kind != TOKEN_NAME)
		return complain(guard, name.line, "the name of a key is expected before %s; add it",
			shown(&name, found));
	int r = count_setting(
		guard, n_in_group, is_in_services(guard) ? GUARD_SETTINGS_MAX : GUARD_GROUP_MAX);
	if (r == 0)
		r = remember_name(guard, &name);
	if (r < 0)
		return r;
	advance(guard);
	if (guard->token.kind != TOKEN_EQUALS)
		return complain(guard, name.line, "\"=\" is missing behind %s; add it",
			shown(&name, shown_name));
	advance(guard);
	guard->path[guard->depth++] = &name;
	r = read_value(guard, false);
	guard->depth--;
	if (r == 0 && (guard->token.kind == TOKEN_SEMICOLON || guard->token.kind == TOKEN_COMMA))
		advance(guard);
	return r;
}

/* Notes that a piece begins with the next token. */
static int begin_piece(struct guard *guard)
{
	struct guard_services *services = &guard->services;
	struct guard_piece *items = realloc(services->items, (services->n + 1) * sizeof *items);
	if (!items)
		return -ENOMEM;
	services->items = items;
	items[services->n++] = (struct guard_piece){ guard->token.start, guard->token.line };
	return 0;
}

/* Up to the closing brace, or to the end of the file for the outermost group (opened is 0). */
static int read_group(struct guard *guard, unsigned opened)
{
	size_t first_name = guard->n_names;
	char found[QUOTE_SIZE];
	for (size_t n = 0;; n++) {
		if (guard->token.kind == TOKEN_END || guard->token.kind == TOKEN_CLOSE)
			break;
		int r = 0;
		if (is_in_services(guard) && n % GUARD_PIECE_SIZE == 0)
			r = begin_piece(guard);
		if (r == 0)
			r = read_setting(guard, n);
		if (r < 0)
			return r;
	}
	if (is_in_services(guard))
		guard->services.end = guard->token.start;
	close_names(guard, first_name);
	if (guard->token.kind == TOKEN_END && !opened)
		return 0;
	if (guard->token.kind == TOKEN_END)
		return complain(guard, opened,
			"the group that begins here is not closed; add the missing \"}\"");
	if (!opened)
		return complain(guard, guard->token.line, "%s closes nothing; remove it",
			shown(&guard->token, found));
	if (*guard->token.start != '}')
		return complain(guard, guard->token.line,
			"%s cannot close the group of line %u; write \"}\"",
			shown(&guard->token, found), opened);
	advance(guard);
	return 0;
}

static int read_nested(struct guard *guard)
{
	char opening = *guard->token.start;
	unsigned line = guard->token.line;
	if (guard->depth >= GUARD_DEPTH_MAX)
		return complain(guard, line,
			"groups are nested more than %d deep; no key needs that", GUARD_DEPTH_MAX);
	advance(guard);
	if (opening == '{')
		return read_group(guard, line);
	guard->path[guard->depth++] = NULL;
	int r = read_list(guard, opening == '[' ? ']' : ')', line);
	guard->depth--;
	return r;
}

static int read_value(struct guard *guard, bool in_list)
{
	char found[QUOTE_SIZE];
	switch (guard->token.kind) {
	case TOKEN_NUMBER:
		return check_number(guard);
	case TOKEN_STRING:
		return read_string(guard, in_list);
	case TOKEN_NAME:
		return read_word(guard);
	case TOKEN_OPEN:
		return read_nested(guard);
	default:
		return complain(guard, guard->token.line, "a value is missing before %s; add it",
			shown(&guard->token, found));
	}
}

void guard_services_fini(struct guard_services *services)
{
	free(services->items);
	*services = (struct guard_services){ 0 };
}

int guard_check(char *text, size_t length, const char *file, struct problems *problems,
	struct guard_services *ret_services)
{
	struct guard guard = {
		.scanner = { .at = text, .end = text + length, .line = 1 },
		.file = file,
		.problems = problems,
	};
	advance(&guard);
	int r = read_group(&guard, 0);
	free(guard.names);
	if (r == 0 && guard.has_duplicates)
		r = -EINVAL;
	if (r < 0)
		guard_services_fini(&guard.services);
	*ret_services = guard.services;
	return r;
}
