#include "admin/description.h"

#include <string.h>

/* Whether the line at `line` is `method NAME(`, with any blanks where Varlink allows them. */
static bool declares(const char *line, const char *name)
{
	size_t length = strlen(name);
	if (strncmp(line, "method", 6) || !strspn(line + 6, " \t"))
		return false;
	line += 6 + strspn(line + 6, " \t");
	if (strncmp(line, name, length))
		return false;
	line += length;
	return line[strspn(line, " \t")] == '(';
}

bool description_has_method(const char *description, const char *name)
{
	for (const char *line = description; line; line = strchr(line, '\n')) {
		line += strspn(line, " \t\n");
		if (declares(line, name))
			return true;
	}
	return false;
}
