#include "ctl/paragraph.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/display.h"

/* Longer lines are hard to read, however wide the terminal is. */
enum { WIDTH_MAX = 100 };

struct paragraph paragraph_begin(FILE *out, const struct look *look)
{
	unsigned width = look->width > WIDTH_MAX ? WIDTH_MAX : look->width;
	return (struct paragraph){ .out = out, .look = look, .width = width };
}

/* A word that is wider than a line is cut as all else is. */
static void add_word(struct paragraph *paragraph, const char *word)
{
	unsigned width = display_width(word);
	if (paragraph->used && paragraph->width && paragraph->used + 1 + width > paragraph->width) {
		fputc('\n', paragraph->out);
		paragraph->used = 0;
	}
	if (paragraph->used) {
		fputc(' ', paragraph->out);
		paragraph->used++;
	}
	paragraph->used += display_print(
		paragraph->out, word, paragraph->width, paragraph->look->is_utf8);
}

void paragraph_add(struct paragraph *paragraph, const char *text)
{
	char *clean = text ? display_clean(text, paragraph->look->is_utf8) : NULL, *rest;
	if (!clean)
		return;
	for (char *word = strtok_r(clean, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		add_word(paragraph, word);
	free(clean);
}

void paragraph_end(struct paragraph *paragraph)
{
	fputc('\n', paragraph->out);
	paragraph->used = 0;
}
