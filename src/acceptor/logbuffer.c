#include "acceptor/logbuffer.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

/*
 * log_set_sink has no context, and a process has one log. All zeros at the start, so that pages
 * that are not needed are not there.
 */
static struct {
	int fd;
	size_t begin; /* what is to be written: bytes[begin..end) */
	size_t end;
	uint64_t n_dropped;
	bool is_stuck;
	char bytes[LOGBUFFER_SIZE];
} buffer;

enum { PREFIX_SIZE = 3 }; /* "<6>" */

static void add(int level, const char *line, size_t length)
{
	char *place = buffer.bytes + buffer.end;
	*place++ = '<';
	*place++ = (char)('0' + (level & 7));
	*place++ = '>';
	memcpy(place, line, length);
	place[length] = '\n';
	buffer.end += PREFIX_SIZE + length + 1;
}

static bool has_room(size_t length)
{
	size_t needed = PREFIX_SIZE + length + 1;
	if (buffer.end + needed > sizeof buffer.bytes && buffer.begin) {
		memmove(buffer.bytes, buffer.bytes + buffer.begin, buffer.end - buffer.begin);
		buffer.end -= buffer.begin;
		buffer.begin = 0;
	}
	return buffer.end + needed <= sizeof buffer.bytes;
}

static void report_dropped(void)
{
	char line[160];
	int length = snprintf(line, sizeof line,
		"%llu log lines were dropped: the supervisor did not read them in time",
		(unsigned long long)buffer.n_dropped);
	if (!has_room((size_t)length))
		return;
	buffer.n_dropped = 0;
	add(LOG_WARNING, line, (size_t)length);
}

static void sink(int level, const char *line, size_t length)
{
	if (buffer.end - buffer.begin > sizeof buffer.bytes / 2 && !buffer.is_stuck)
		logbuffer_flush();
	if (!has_room(length)) {
		buffer.n_dropped++;
		return;
	}
	add(level, line, length);
}

void logbuffer_open(int fd)
{
	struct stat status;
	buffer.fd = fd;
	if (fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)))
		(void)fd_set_nonblocking(fd);
	log_set_sink(sink);
}

void logbuffer_flush(void)
{
	buffer.is_stuck = false;
	while (buffer.begin < buffer.end) {
		ssize_t written =
			write(buffer.fd, buffer.bytes + buffer.begin, buffer.end - buffer.begin);
		if (written > 0) {
			buffer.begin += (size_t)written;
		} else if (written < 0 && errno == EAGAIN) {
			buffer.is_stuck = true;
			break;
		} else if (written == 0 || errno != EINTR) {
			buffer.begin = buffer.end; /* nobody will ever read it */
		}
	}
	if (buffer.begin == buffer.end)
		buffer.begin = buffer.end = 0;
	if (buffer.n_dropped && !buffer.is_stuck)
		report_dropped();
}

bool logbuffer_is_stuck(void)
{
	return buffer.is_stuck;
}
