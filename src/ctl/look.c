#include "ctl/look.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/display.h"

/* The order of tools that look at COLUMNS: first what the user says, then what the terminal says.
 */
static unsigned terminal_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	int n = columns ? atoi(columns) : 0;
	if (n > 0)
		return (unsigned)n;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return 80;
}

/* Whether the user's locale is UTF-8. Widths need one that is, whatever the user's may be. */
static bool set_locale(void)
{
	setlocale(LC_CTYPE, "");
	bool is_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	if (!is_utf8)
		setlocale(LC_CTYPE, "C.UTF-8");
	return is_utf8;
}

struct look look_of(int fd)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	struct look look = { .is_utf8 = set_locale() };
	if (!isatty(fd)) {
		/* A pipe passes on what the daemon said; what reads it knows its own locale. */
		look.is_utf8 = true;
		return look;
	}
	look.width = terminal_width(fd);
	look.has_symbols = true;
	look.has_colour = !(no_colour && *no_colour) && term && *term && strcmp(term, "dumb");
	return look;
}

const char *look_begin(const struct look *look, enum tone tone)
{
	static const char *const sequences[] = {
		[TONE_PLAIN] = "",
		[TONE_HEAD] = "\033[1m",
		[TONE_GOOD] = "\033[32m",
		[TONE_WARNING] = "\033[33m",
		[TONE_BAD] = "\033[31m",
		[TONE_QUIET] = "\033[2m",
	};
	return look->has_colour ? sequences[tone] : "";
}

const char *look_end(const struct look *look, enum tone tone)
{
	return look->has_colour && tone != TONE_PLAIN ? "\033[0m" : "";
}

void look_print_line(FILE *out, const struct look *look, enum tone tone, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *clean = display_format(look->is_utf8, format, args);
	va_end(args);
	fputs(look_begin(look, tone), out);
	if (clean)
		display_print(out, clean, look->width, look->is_utf8);
	fprintf(out, "%s\n", look_end(look, tone));
	free(clean);
}
