#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static void write_plain(int level, const char *line, size_t length);

static log_sink *current_sink = write_plain;
static log_sink *current_tap;
static int current_level = LOG_INFO;

static const struct {
	const char *name;
	int level;
} level_names[] = {
	{ "error", LOG_ERR },
	{ "warning", LOG_WARNING },
	{ "notice", LOG_NOTICE },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
};

static void write_parts(const char *prefix, const char *line, size_t length)
{
	struct iovec parts[] = {
		{ (void *)prefix, strlen(prefix) },
		{ (void *)line, length },
		{ (void *)"\n", 1 },
	};
	ssize_t written;
	do
		written = writev(STDERR_FILENO, parts, 3);
	while (written < 0 && errno == EINTR);
}

static void write_plain(int level, const char *line, size_t length)
{
	(void)level;
	write_parts("", line, length);
}

static void write_prefixed(int level, const char *line, size_t length)
{
	char prefix[8];
	snprintf(prefix, sizeof prefix, "<%d>", level & 7);
	write_parts(prefix, line, length);
}

void log_set_sink(log_sink *sink)
{
	current_sink = sink;
}

void log_set_tap(log_sink *tap)
{
	current_tap = tap;
}

void log_to_supervisor(void)
{
	current_sink = write_prefixed;
}

void log_set_level(int level)
{
	current_level = level;
}

int log_level(void)
{
	return current_level;
}

const char *log_level_name(int level)
{
	for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
		if (level_names[i].level >= level)
			return level_names[i].name;
	return "debug";
}

static void pass_on(int level, const char *line, size_t length)
{
	current_sink(level, line, length);
	if (current_tap)
		current_tap(level, line, length);
}

void log_line(int level, const char *format, ...)
{
	if (level > current_level)
		return;
	char line[LOG_LINE_MAX];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (length < 0)
		return;
	if ((size_t)length >= sizeof line) {
		length = (int)sizeof line - 1;
		memcpy(line + length - 3, "...", 3);
	}
	pass_on(level, line, (size_t)length);
}

void log_text(int level, const char *text)
{
	size_t length = strlen(text);
	if (level > current_level)
		return;
	if (length < LOG_LINE_MAX)
		pass_on(level, text, length);
	else
		log_line(level, "%s", text);
}
