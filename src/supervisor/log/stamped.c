#include "supervisor/log/stamped.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { PREFIX_SIZE = CLOCK_STAMP_SIZE + 24, NOTE_SIZE = PREFIX_SIZE + 64 };

/* A pipe that polls as writable takes so many bytes without waiting: pipe(7). */
enum { GATHERED_SIZE = PIPE_BUF - NOTE_SIZE };
_Static_assert(PREFIX_SIZE + LOG_LINE_MAX + 1 <= GATHERED_SIZE, "any line has room");

static struct {
	bool is_gathering;
	bool is_cut; /* the last line was: the next one begins anew */
	int fd;      /* where those go that are gathered */
	unsigned n_lines;
	size_t used;
	unsigned long n_dropped;
	int error; /* why; else 0 */
	char bytes[GATHERED_SIZE];
} stamped;

/* Standard error may be a pipe that nobody reads; it is not ours to make non-blocking. */
static bool has_room(int fd)
{
	struct pollfd target = { .fd = fd, .events = POLLOUT };
	return fd != STDERR_FILENO || (poll(&target, 1, 0) == 1 && (target.revents & POLLOUT));
}

/* Lines that come together have one time, and mostly one level. */
static size_t format_prefix(char prefix[PREFIX_SIZE], int level)
{
	static int64_t formatted_ms;
	static int formatted_level;
	static size_t length;
	static char formatted[PREFIX_SIZE];
	int64_t now_ms = clock_wall_ms();
	if (now_ms != formatted_ms || level != formatted_level) {
		char stamp[CLOCK_STAMP_SIZE];
		clock_format_stamp(stamp, formatted_ms = now_ms);
		length = (size_t)snprintf(formatted, PREFIX_SIZE, "%s %s ", stamp,
			log_level_name(formatted_level = level));
	}
	memcpy(prefix, formatted, length);
	return length;
}

/* Nothing, if nothing was. */
static size_t format_dropped(char note[NOTE_SIZE])
{
	if (!stamped.n_dropped)
		return 0;
	size_t n = format_prefix(note, LOG_WARNING);
	return n + (size_t)snprintf(note + n, NOTE_SIZE - n,
			   "%lu log lines were lost before this one\n", stamped.n_dropped);
}

/* What of the gathered bytes the target took. */
static size_t put(int fd)
{
	char note[NOTE_SIZE];
	size_t n_note = format_dropped(note);
	struct iovec parts[] = {
		{ (void *)"\n", stamped.is_cut },
		{ note, n_note },
		{ stamped.bytes, stamped.used },
	};
	ssize_t written;
	do
		written = writev(fd, parts, 3);
	while (written < 0 && errno == EINTR);
	stamped.error = written < 0 ? errno : (size_t)written < stamped.is_cut + n_note + stamped.used ? ENOSPC : 0;
	if (written <= 0)
		return 0;
	size_t n_before = parts[0].iov_len + n_note;
	if ((size_t)written < n_before) {
		stamped.is_cut = (size_t)written > parts[0].iov_len;
		return 0;
	}
	size_t taken = (size_t)written - n_before;
	stamped.is_cut = taken > 0 && stamped.bytes[taken - 1] != '\n';
	if (n_note)
		stamped.n_dropped = 0;
	return taken;
}

/* A full disk may take a part of a line: that one is lost, and does not spoil its successor. */
static void write_gathered(void)
{
	bool may_write = has_room(stamped.fd);
	if (!may_write)
		stamped.error = EAGAIN;
	size_t taken = may_write ? put(stamped.fd) : 0;
	const char *line = stamped.bytes, *end;
	while (taken && (end = memchr(line, '\n', taken))) {
		taken -= (size_t)(end + 1 - line);
		line = end + 1;
		stamped.n_lines--;
	}
	stamped.n_dropped += stamped.n_lines;
	stamped.n_lines = 0;
	stamped.used = 0;
}

static void flush(void)
{
	if (stamped.n_lines)
		write_gathered();
}

void stamped_line(int fd, int level, const char *line, size_t length)
{
	char prefix[PREFIX_SIZE];
	size_t n = format_prefix(prefix, level);
	if (stamped.fd != fd || stamped.used + n + length + 1 > sizeof stamped.bytes)
		flush();
	stamped.fd = fd;
	memcpy(stamped.bytes + stamped.used, prefix, n);
	memcpy(stamped.bytes + stamped.used + n, line, length);
	stamped.used += n + length;
	stamped.bytes[stamped.used++] = '\n';
	stamped.n_lines++;
	if (!stamped.is_gathering)
		flush();
}

unsigned long stamped_retry(int fd, int *ret_error)
{
	flush();
	if (stamped.n_dropped) {
		stamped.fd = fd;
		write_gathered();
	}
	*ret_error = stamped.error;
	return stamped.n_dropped;
}

void stamped_gather(void)
{
	stamped.is_gathering = true;
}

void stamped_flush(void)
{
	stamped.is_gathering = false;
	flush();
}
