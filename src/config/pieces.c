#include "config/pieces.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "config/settings.h"
#include "config/source.h"

int pieces_read(struct pieces *pieces, const char *path, int fd, struct problems *problems)
{
	fd_auto int owned = fd;
	*pieces = (struct pieces){ .path = path };
	pieces->text = source_read(owned, path, problems, &pieces->length);
	if (!pieces->text)
		return -EINVAL;
	int r = guard_check(pieces->text, pieces->length, path, problems, &pieces->services);
	if (r == -ENOMEM)
		problems->is_out_of_memory = true;
	if (r < 0)
		pieces_fini(pieces);
	return r;
}

void pieces_fini(struct pieces *pieces)
{
	free(pieces->text);
	guard_services_fini(&pieces->services);
	*pieces = (struct pieces){ 0 };
}

/* Removes all but the ends of lines, so that what follows keeps its number. */
static void keep_newlines(char *start, char *end)
{
	char *kept = start;
	for (const char *p = start; p < end; p++)
		if (*p == '\n')
			*kept++ = '\n';
	memmove(kept, end, strlen(end) + 1);
}

int pieces_parse_head(const struct pieces *pieces, struct problems *problems, config_t *ret_tree)
{
	const struct guard_services *services = &pieces->services;
	char *head = strdup(pieces->text);
	if (!head) {
		problems->is_out_of_memory = true;
		return -ENOMEM;
	}
	if (services->n > 0)
		keep_newlines(head + (services->items[0].start - pieces->text),
			head + (services->end - pieces->text));
	int r = settings_parse(head, pieces->path, 0, problems, ret_tree);
	free(head);
	return r;
}

size_t pieces_count(const struct pieces *pieces)
{
	return pieces->services.n;
}

int pieces_parse(const struct pieces *pieces, size_t i, struct problems *problems,
	config_t *ret_tree, unsigned *ret_line_offset)
{
	const struct guard_services *services = &pieces->services;
	const char *start = services->items[i].start;
	const char *end = i + 1 < services->n ? services->items[i + 1].start : services->end;
	unsigned line_offset = services->items[i].line - 1;
	char *text;
	if (asprintf(&text, "services = {%.*s}", (int)(end - start), start) < 0) {
		problems->is_out_of_memory = true;
		return -ENOMEM;
	}
	int r = settings_parse(text, pieces->path, line_offset, problems, ret_tree);
	free(text);
	if (r == 0)
		*ret_line_offset = line_offset;
	return r;
}
