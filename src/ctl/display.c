#include "ctl/display.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/text.h"

/*
 * The character at *p, which is moved behind it. The text has been through text_escape: what is not
 * ASCII is valid UTF-8.
 */
static wchar_t next_character(const char **p)
{
	unsigned char first = (unsigned char)*(*p)++;
	if (first < 0x80)
		return first;
	unsigned n = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	wchar_t code = first & (0x3f >> n);
	while (n-- && **p)
		code = code << 6 | ((unsigned char)*(*p)++ & 0x3f);
	return code;
}

/* In the C locale wcwidth(3) knows ASCII only; main sets one that knows more. */
static unsigned character_width(wchar_t code)
{
	int width = code < 0x80 ? 1 : wcwidth(code);
	return width < 0 ? 1 : (unsigned)width;
}

/* In place: backslashes back to one, and a "?" for what this terminal has no picture of. */
static void simplify(char *text, bool is_utf8)
{
	char *to = text;
	for (const char *from = text; *from;) {
		const char *start = from;
		wchar_t code = next_character(&from);
		if (code == '\\' && *from == '\\')
			from++;
		if (code >= 0x80 && (!is_utf8 || wcwidth(code) < 0)) {
			*to++ = '?';
		} else {
			size_t n = code == '\\' ? 1 : (size_t)(from - start);
			memmove(to, start, n);
			to += n;
		}
	}
	*to = 0;
}

bool display_is_plain(const char *text)
{
	while (*text >= ' ' && *text < 0x7f && *text != '\\')
		text++;
	return !*text;
}

char *display_clean(const char *text, bool is_utf8)
{
	if (display_is_plain(text))
		return strdup(text);
	size_t length = strlen(text);
	char *clean = malloc(4 * length + 1);
	if (!clean)
		return NULL;
	text_escape(clean, 4 * length + 1, text, length);
	simplify(clean, is_utf8);
	return clean;
}

char *display_format(bool is_utf8, const char *format, va_list args)
{
	char *text;
	if (vasprintf(&text, format, args) < 0)
		return NULL;
	char *clean = display_clean(text, is_utf8);
	free(text);
	return clean;
}

unsigned display_width(const char *text)
{
	unsigned width = 0;
	while (*text)
		width += character_width(next_character(&text));
	return width;
}

unsigned display_print(FILE *out, const char *text, unsigned width, bool is_utf8)
{
	unsigned whole = display_width(text);
	if (width == 0 || whole <= width) {
		fputs(text, out);
		return whole;
	}
	unsigned used = 0;
	const char *p = text;
	for (const char *next = p; *p; p = next) {
		unsigned n = character_width(next_character(&next));
		if (used + n > width - 1)
			break;
		used += n;
	}
	fwrite(text, 1, (size_t)(p - text), out);
	fputs(is_utf8 ? "…" : "+", out);
	return used + 1;
}
