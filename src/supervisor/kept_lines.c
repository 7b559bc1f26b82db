#include "supervisor/kept_lines.h"

#include <stdlib.h>
#include <string.h>

static void drop_oldest(struct kept_lines *lines)
{
	struct kept_line *line = lines->oldest;
	lines->oldest = line->newer;
	if (lines->oldest)
		lines->oldest->older = NULL;
	else
		lines->newest = NULL;
	lines->n--;
	lines->bytes -= line->size;
	free(line);
}

const struct kept_line *kept_lines_add(
	struct kept_lines *lines, int64_t at, int level, const char *text)
{
	size_t length = strlen(text);
	size_t size = sizeof(struct kept_line) + length + 1;
	struct kept_line *line = malloc(size);
	if (!line)
		return NULL;
	*line = (struct kept_line){ .older = lines->newest, .at = at, .level = level, .size = size };
	memcpy(line->text, text, length + 1);
	if (lines->newest)
		lines->newest->newer = line;
	else
		lines->oldest = line;
	lines->newest = line;
	lines->n++;
	lines->bytes += size;
	while (lines->n > 1 && (lines->n > KEPT_LINES_MAX || lines->bytes > KEPT_BYTES_MAX))
		drop_oldest(lines);
	return line;
}

const struct kept_line *kept_lines_last(const struct kept_lines *lines, unsigned n)
{
	const struct kept_line *line = n ? lines->newest : NULL;
	while (line && line->older && --n)
		line = line->older;
	return line;
}

void kept_lines_fini(struct kept_lines *lines)
{
	while (lines->oldest)
		drop_oldest(lines);
}
