#include "supervisor/log/kept_lines.h"

#include <errno.h>
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

/* Then the text and its NUL. */
struct saved_line {
	int64_t at;
	int32_t level;
	uint32_t size; /* of the text with its NUL */
};

char *kept_lines_save(const struct kept_lines *lines, unsigned n, size_t *ret_size)
{
	const struct kept_line *line = kept_lines_last(lines, n);
	/* What is kept of a line is larger than what is saved. */
	char *bytes = line ? malloc(lines->bytes) : NULL, *at = bytes;
	for (; bytes && line; line = line->newer) {
		uint32_t size = (uint32_t)strlen(line->text) + 1;
		struct saved_line saved = { line->at, line->level, size };
		memcpy(at, &saved, sizeof saved);
		memcpy(at + sizeof saved, line->text, size);
		at += sizeof saved + size;
	}
	*ret_size = (size_t)(at - bytes);
	return bytes;
}

int kept_lines_restore(struct kept_lines *lines, const char *bytes, size_t size)
{
	while (size) {
		struct saved_line saved;
		if (size < sizeof saved)
			return -EBADMSG;
		memcpy(&saved, bytes, sizeof saved);
		bytes += sizeof saved;
		size -= sizeof saved;
		if (saved.size == 0 || saved.size > size || bytes[saved.size - 1])
			return -EBADMSG;
		kept_lines_add(lines, saved.at, saved.level, bytes);
		bytes += saved.size;
		size -= saved.size;
	}
	return 0;
}

void kept_lines_fini(struct kept_lines *lines)
{
	while (lines->oldest)
		drop_oldest(lines);
}
