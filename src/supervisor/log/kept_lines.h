/*
 * The last lines that the programs of a service wrote: bounded in number and in bytes, and without
 * any memory where nothing was written.
 */
#ifndef FDSUP_SUPERVISOR_KEPT_LINES_H
#define FDSUP_SUPERVISOR_KEPT_LINES_H

#include <stddef.h>
#include <stdint.h>

enum { KEPT_LINES_MAX = 500, KEPT_BYTES_MAX = 64 * 1024 };

struct kept_line {
	struct kept_line *older, *newer;
	int64_t at;   /* milliseconds since 1970 */
	int level;    /* of syslog(3) */
	size_t size;  /* of all this */
	char text[];  /* escaped */
};

/* All zeros: empty. */
struct kept_lines {
	struct kept_line *oldest, *newest;
	unsigned n;
	size_t bytes;
};

/* Copies the text; the oldest go where there are too many. The line, or NULL without memory. */
const struct kept_line *kept_lines_add(
	struct kept_lines *lines, int64_t at, int level, const char *text);

/* Of the newest `n` lines the oldest; NULL: there are none. */
const struct kept_line *kept_lines_last(const struct kept_lines *lines, unsigned n);

/*
 * The newest `n` in one piece, for another program, and back. The piece is the caller's; NULL: there are
 * none, or no memory. -EBADMSG: it is not whole; what was read until then is kept.
 */
char *kept_lines_save(const struct kept_lines *lines, unsigned n, size_t *ret_size);
int kept_lines_restore(struct kept_lines *lines, const char *bytes, size_t size);

void kept_lines_fini(struct kept_lines *lines);

#endif
