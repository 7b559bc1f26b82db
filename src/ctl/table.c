#include "ctl/table.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/display.h"

enum { ELASTIC_LEAST = 16, CHOSEN_LEAST = 8, SYMBOL_WIDTH = 2 };

/* How -o spells a character of a name. */
static int plain_character(char c)
{
	return c == ' ' || c == '_' ? '-' : tolower((unsigned char)c);
}

static bool is_name_of(const struct table_column *column, const char *text, size_t length)
{
	if (strlen(column->name) != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (plain_character(column->name[i]) != plain_character(text[i]))
			return false;
	return true;
}

static const struct table_column *find_column(
	const struct table *table, const char *text, size_t length)
{
	for (size_t i = 0; i < table->n_columns; i++)
		if (is_name_of(&table->columns[i], text, length))
			return &table->columns[i];
	return NULL;
}

bool table_choose(const struct table *table, const char *names, struct table_choice *ret_choice,
	char **ret_unknown)
{
	struct table_choice choice = { .is_given = names };
	for (size_t i = 0; i < table->n_columns && !names; i++)
		choice.columns[choice.n++] = &table->columns[i];
	while (names) {
		size_t length = strcspn(names, ",");
		const struct table_column *column = find_column(table, names, length);
		if (!column || choice.n == TABLE_COLUMNS_MAX) {
			*ret_unknown = strndup(names, length);
			return false;
		}
		choice.columns[choice.n++] = column;
		names = names[length] ? names + length + 1 : NULL;
	}
	*ret_choice = choice;
	return true;
}

const struct table_column *table_find(const struct table *table, const char *name)
{
	return find_column(table, name, strlen(name));
}

void table_print_names(FILE *out, const struct table *table)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		if (i)
			fputc(' ', out);
		for (const char *p = table->columns[i].name; *p; p++)
			fputc(plain_character(*p), out);
	}
}

char *table_names(const struct table *table)
{
	char *names = NULL;
	size_t size;
	FILE *list = open_memstream(&names, &size);
	if (!list)
		return NULL;
	table_print_names(list, table);
	fclose(list);
	return names;
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* To how few characters a column may come down before another is dropped for its sake. */
static unsigned least_width(const struct table_choice *choice, size_t i, unsigned width)
{
	if (choice->is_given)
		return smaller(width, CHOSEN_LEAST);
	return choice->columns[i]->is_elastic ? smaller(width, ELASTIC_LEAST) : width;
}

/* Of those columns that have not been seen yet the one that matters most; n if there is none. */
static size_t find_next(const struct table_choice *choice, const bool is_seen[])
{
	size_t found = choice->n;
	for (size_t i = 0; i < choice->n; i++)
		if (!is_seen[i] && (found == choice->n ||
					   choice->columns[i]->rank < choice->columns[found]->rank))
			found = i;
	return found;
}

/*
 * Takes in columns as long as there is room, those that matter most first; one that is too wide
 * makes room for smaller ones. Columns that were asked for matter in the order of the asking.
 */
static void drop_columns(struct table_choice *choice, unsigned widths[], unsigned width)
{
	bool is_seen[TABLE_COLUMNS_MAX] = { false }, is_dropped[TABLE_COLUMNS_MAX] = { false };
	unsigned total = 0;
	for (size_t done = 0; done < choice->n; done++) {
		size_t i = choice->is_given ? done : find_next(choice, is_seen);
		unsigned more = least_width(choice, i, widths[i]) + (total ? TABLE_GAP : 0);
		bool is_needed = choice->is_given ? i == 0 : choice->columns[i]->rank == 0;
		is_seen[i] = true;
		is_dropped[i] = !is_needed && total + more > width;
		if (!is_dropped[i])
			total += more;
	}
	size_t n = 0;
	for (size_t i = 0; i < choice->n; i++) {
		if (is_dropped[i])
			continue;
		choice->columns[n] = choice->columns[i];
		widths[n++] = widths[i];
	}
	choice->n = n;
}

/* Where the most can be taken from: an elastic column, and only without one any other. */
static size_t find_widest(const struct table_choice *choice, const unsigned widths[])
{
	size_t widest = 0;
	unsigned most = 0;
	for (size_t i = 0; i < choice->n; i++) {
		unsigned weight = widths[i];
		if (choice->columns[i]->is_elastic && widths[i] > ELASTIC_LEAST)
			weight += 100000;
		if (weight > most) {
			most = weight;
			widest = i;
		}
	}
	return widest;
}

void table_fit(struct table_choice *choice, unsigned widths[], unsigned width)
{
	if (width == 0)
		return;
	drop_columns(choice, widths, width);
	unsigned total = 0;
	for (size_t i = 0; i < choice->n; i++)
		total += (i ? TABLE_GAP : 0) + widths[i];
	for (; total > width; total--) {
		size_t widest = find_widest(choice, widths);
		if (widths[widest] <= 1)
			return;
		widths[widest]--;
	}
}

/* Where rows come from: one is good until the next is asked for. */
struct source {
	size_t n;
	const json_t *(*at)(void *context, size_t i);
	void *context;
};

static const json_t *row_at(const struct source *source, size_t i)
{
	return source->at(source->context, i);
}

/* What is known of a cell once it is made; its text lies in the page's. */
struct cell {
	size_t at;
	unsigned length, width;
};

/* A table in the making: cells[row * n + column], widths of the columns that are shown. */
struct page {
	const struct table *table;
	const struct look *look;
	struct table_choice choice;
	unsigned widths[TABLE_COLUMNS_MAX];
	size_t n_rows;
	struct cell *cells;
	char *text; /* of all cells, one behind the other */
	size_t length, room;
};

/* Where a cell is written, one after the other: a stream for each would be most of the work. */
struct sheet {
	FILE *stream;
	char *text;
	size_t size;
};

static int page_keep(struct page *page, struct cell *cell, const char *text, size_t length)
{
	if (page->room - page->length <= length) {
		size_t room = 2 * page->room + length + 4096;
		char *larger = realloc(page->text, room);
		if (!larger)
			return -ENOMEM;
		page->text = larger;
		page->room = room;
	}
	memcpy(page->text + page->length, text, length);
	page->text[page->length + length] = 0;
	*cell = (struct cell){ page->length, (unsigned)length, (unsigned)length };
	page->length += length + 1;
	return 0;
}

/* Of text that is not as harmless as most. */
static int page_keep_clean(struct page *page, struct cell *cell, const char *text)
{
	char *clean = display_clean(text, page->look->is_utf8);
	int r = clean ? page_keep(page, cell, clean, strlen(clean)) : -ENOMEM;
	if (r == 0)
		cell->width = display_width(clean);
	free(clean);
	return r;
}

static int make_cell(struct page *page, struct sheet *sheet, const struct table_column *column,
	const json_t *row, struct cell *cell)
{
	rewind(sheet->stream);
	if (page->look->width && column->format_short)
		column->format_short(sheet->stream, row, column->field);
	else
		column->format(sheet->stream, row, column->field);
	putc_unlocked(0, sheet->stream);
	if (fflush_unlocked(sheet->stream) != 0)
		return -ENOMEM;
	if (!*sheet->text)
		return page_keep(page, cell, "-", 1);
	if (display_is_plain(sheet->text))
		return page_keep(page, cell, sheet->text, strlen(sheet->text));
	return page_keep_clean(page, cell, sheet->text);
}

static void print_spaces(FILE *out, unsigned n)
{
	static const char spaces[] = "                                                                ";
	for (; n >= sizeof spaces; n -= sizeof spaces - 1)
		fwrite_unlocked(spaces, 1, sizeof spaces - 1, out);
	fwrite_unlocked(spaces, 1, n, out);
}

/* `natural` columns are what the text takes. */
static void print_cell(FILE *out, const struct look *look, enum tone tone, const char *text,
	unsigned natural, unsigned width, bool is_right, bool is_last)
{
	unsigned padding = natural < width ? width - natural : 0, used = natural;
	if (is_right)
		print_spaces(out, padding);
	fputs_unlocked(look_begin(look, tone), out);
	if (width == 0 || natural <= width)
		fputs_unlocked(text, out);
	else
		used = display_print(out, text, width, look->is_utf8);
	fputs_unlocked(look_end(look, tone), out);
	if (!is_last)
		print_spaces(out, (is_right || used > width ? 0 : width - used) + TABLE_GAP);
}

/* The cells are made before columns are dropped, so each knows its column by the first choice. */
static int page_fill_from(struct page *page, struct sheet *sheet, const struct source *rows)
{
	const struct table_choice *choice = &page->choice;
	page->n_rows = rows->n;
	page->cells = calloc(page->n_rows * choice->n + 1, sizeof *page->cells);
	if (!page->cells)
		return -ENOMEM;
	for (size_t column = 0; column < choice->n; column++)
		page->widths[column] = display_width(choice->columns[column]->name);
	for (size_t i = 0; i < page->n_rows; i++) {
		const json_t *row = row_at(rows, i);
		for (size_t column = 0; column < choice->n; column++) {
			struct cell *cell = &page->cells[i * choice->n + column];
			int r = make_cell(page, sheet, choice->columns[column], row, cell);
			if (r < 0)
				return r;
			if (cell->width > page->widths[column])
				page->widths[column] = cell->width;
		}
	}
	return 0;
}

static int page_fill(struct page *page, const struct source *rows)
{
	struct sheet sheet = { 0 };
	sheet.stream = open_memstream(&sheet.text, &sheet.size);
	if (!sheet.stream)
		return -ENOMEM;
	int r = page_fill_from(page, &sheet, rows);
	fclose(sheet.stream);
	free(sheet.text);
	return r;
}

static bool has_symbols(const struct page *page)
{
	return page->table->symbol && page->look->has_symbols && !page->choice.is_given;
}

/* Whether more than the cells is shown of them. */
static bool needs_rows(const struct page *page)
{
	for (size_t i = 0; i < page->choice.n; i++)
		if (page->choice.columns[i]->tone)
			return true;
	return has_symbols(page) || page->table->notes;
}

static void print_heading(FILE *out, const struct page *page)
{
	if (has_symbols(page))
		fprintf(out, "%*s", SYMBOL_WIDTH, "");
	for (size_t i = 0; i < page->choice.n; i++)
		print_cell(out, page->look, TONE_HEAD, page->choice.columns[i]->name,
			display_width(page->choice.columns[i]->name), page->widths[i],
			page->choice.columns[i]->is_right,
			i + 1 == page->choice.n);
	fputc('\n', out);
}

static void print_row(FILE *out, const struct page *page, const struct table_choice *all,
	size_t index, const json_t *row)
{
	const struct table *table = page->table;
	if (has_symbols(page)) {
		enum tone tone = table->symbol_tone(row);
		fprintf(out, "%s%s%s ", look_begin(page->look, tone),
			table->symbol(row, page->look->is_utf8), look_end(page->look, tone));
	}
	for (size_t i = 0, at = 0; i < page->choice.n; i++, at++) {
		const struct table_column *column = page->choice.columns[i];
		while (all->columns[at] != column)
			at++;
		const struct cell *cell = &page->cells[index * all->n + at];
		print_cell(out, page->look, column->tone ? column->tone(row) : TONE_PLAIN,
			page->text + cell->at, cell->width, page->widths[i], column->is_right,
			i + 1 == page->choice.n);
	}
	fputc('\n', out);
	if (table->notes && !page->choice.is_given)
		table->notes(out, row, page->look);
}

static void print_rows(FILE *out, const struct table *table, const struct table_choice *choice,
	const struct source *rows, const struct look *look)
{
	struct page page = { .table = table, .look = look, .choice = *choice };
	if (page_fill(&page, rows) == 0) {
		unsigned taken = has_symbols(&page) ? SYMBOL_WIDTH : 0;
		table_fit(&page.choice, page.widths,
			look->width == 0      ? 0
			: look->width > taken ? look->width - taken
					      : 1);
		print_heading(out, &page);
		for (size_t i = 0; i < page.n_rows; i++)
			print_row(out, &page, choice, i, needs_rows(&page) ? row_at(rows, i) : NULL);
	}
	free(page.text);
	free(page.cells);
}

static const json_t *item_at(void *context, size_t i)
{
	return json_array_get(context, i);
}

void table_print(FILE *out, const struct table *table, const struct table_choice *choice,
	const json_t *rows, const struct look *look)
{
	const struct source source = { json_array_size(rows), item_at, (void *)rows };
	print_rows(out, table, choice, &source, look);
}

static const json_t *record_at(void *context, size_t i)
{
	return records_at(context, i);
}

void table_print_records(FILE *out, const struct table *table, const struct table_choice *choice,
	struct records *rows, const struct look *look)
{
	const struct source source = { rows->n, record_at, rows };
	print_rows(out, table, choice, &source, look);
}
