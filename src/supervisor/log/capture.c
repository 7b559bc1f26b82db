#include "supervisor/log/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/log/stamped.h"
#include "supervisor/succession/state.h"

struct capture {
	struct ev_loop *loop;
	ev_io watcher;
	ev_timer quiet; /* nothing has followed an incomplete line for a while */
	int read_fd;
	int write_fd;
	enum capture_kind kind;
	uint64_t second_ms;            /* when the second began in which lines are counted */
	unsigned n_lines;              /* since then */
	unsigned n_silent;             /* of those, not logged */
	size_t used;                   /* of the line that is not yet complete */
	char line[CAPTURE_LINE_MAX];
	uint64_t last_ms;
	struct kept_lines kept;
	char name[];
};

/* A stranger must not be able to fill the disk through a talkative program. */
enum { LINES_A_SECOND = 200 };

/* What one turn of the loop reads at most. */
enum { TURN_BYTES = 64 * 1024 };

/* A program that dies over its last line, or asks something without ending one, is heard as well. */
static const double QUIET_S = 1;

static capture_follower *current_follower;

void capture_set_follower(capture_follower *follower)
{
	current_follower = follower;
}

static void keep(struct capture *capture, int level, const char *text)
{
	const struct kept_line *line = kept_lines_add(&capture->kept, clock_wall_ms(), level, text);
	if (!line)
		return;
	capture->last_ms = clock_now_ms();
	if (current_follower)
		current_follower(capture->name, line);
}

/* "<3>text", as sd-daemon(3) has it: the level of a line, told by the program that wrote it. */
static const char *take_level(const char *line, int *ret_level)
{
	*ret_level = LOG_INFO;
	if (line[0] != '<' || line[1] < '0' || line[1] > '7' || line[2] != '>')
		return line;
	*ret_level = line[1] - '0';
	return line + 3;
}

/* Whether one more line may be logged now. What was left out is told when the next one may. */
static bool may_log(struct capture *capture)
{
	uint64_t now_ms = clock_now_ms();
	if (now_ms - capture->second_ms >= 1000) {
		if (capture->n_silent)
			log_warning("%s: stderr: %u more lines were not logged (more than %d in a second)",
				capture->name, capture->n_silent, LINES_A_SECOND);
		capture->second_ms = now_ms;
		capture->n_lines = capture->n_silent = 0;
	}
	if (++capture->n_lines <= LINES_A_SECOND)
		return true;
	capture->n_silent++;
	return false;
}

static void on_line(struct capture *capture)
{
	char escaped[CAPTURE_LINE_MAX * 2];
	int level;
	size_t length = capture->used;
	capture->used = 0;
	while (length && capture->line[length - 1] == '\r')
		length--;
	if (length == 0)
		return;
	text_escape(escaped, sizeof escaped, capture->line, length);
	const char *text = take_level(escaped, &level);
	if (capture->kind == CAPTURE_OURS) {
		log_text(level, text);
		return;
	}
	if (may_log(capture))
		log_line(level, "%s: stderr: %s", capture->name, text);
	keep(capture, level, text);
}

static void take_bytes(struct capture *capture, const char *bytes, size_t n)
{
	while (n) {
		const char *end = memchr(bytes, '\n', n);
		size_t length = end ? (size_t)(end - bytes) : n;
		size_t room = sizeof capture->line - capture->used;
		bool is_line = end && length < room;
		if (!is_line && length > room)
			length = room;
		memcpy(capture->line + capture->used, bytes, length);
		capture->used += length;
		if (is_line || capture->used == sizeof capture->line)
			on_line(capture);
		bytes += length + is_line;
		n -= length + is_line;
	}
}

void capture_drain(struct capture *capture)
{
	char bytes[16 * 1024];
	size_t total = 0;
	ssize_t n;
	if (capture->read_fd < 0)
		return;
	stamped_gather();
	while (total < TURN_BYTES && (n = read(capture->read_fd, bytes, sizeof bytes)) > 0) {
		take_bytes(capture, bytes, (size_t)n);
		total += (size_t)n;
	}
	stamped_flush();
	ev_timer_stop(capture->loop, &capture->quiet);
	if (capture->used) {
		ev_timer_set(&capture->quiet, QUIET_S, 0);
		ev_timer_start(capture->loop, &capture->quiet);
	}
}

void capture_end(struct capture *capture)
{
	capture_drain(capture);
	ev_timer_stop(capture->loop, &capture->quiet);
	on_line(capture);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)loop, (void)events;
	capture_drain(watcher->data);
}

static void on_quiet(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	on_line(watcher->data);
}

/* Our end alone is non-blocking: the programs' end must wait when it is full, as they expect. */
static int open_pipe(struct capture *capture)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	int r = fd_set_nonblocking(ends[0]);
	if (r < 0) {
		fd_close(&ends[0]);
		fd_close(&ends[1]);
		return r;
	}
	capture->read_fd = ends[0];
	capture->write_fd = ends[1];
	ev_io_set(&capture->watcher, capture->read_fd, EV_READ);
	ev_io_start(capture->loop, &capture->watcher);
	return 0;
}

static struct capture *make(struct ev_loop *loop, const char *name, enum capture_kind kind)
{
	struct capture *capture = calloc(1, sizeof *capture + strlen(name) + 1);
	if (!capture)
		return NULL;
	strcpy(capture->name, name);
	capture->loop = loop;
	capture->kind = kind;
	capture->read_fd = capture->write_fd = -1;
	ev_io_init(&capture->watcher, on_readable, -1, EV_READ);
	ev_timer_init(&capture->quiet, on_quiet, QUIET_S, 0);
	capture->watcher.data = capture->quiet.data = capture;
	return capture;
}

struct capture *capture_create(struct ev_loop *loop, const char *name, enum capture_kind kind)
{
	struct capture *capture = make(loop, name, kind);
	int r = capture ? open_pipe(capture) : 0;
	if (r < 0) {
		free(capture);
		errno = -r;
		return NULL;
	}
	return capture;
}

/* Of a pipe whose other end we have; -1. */
static int open_write_end(const struct capture *capture)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", capture->read_fd);
	return capture->read_fd < 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC);
}

/* ---- over to another program ----------------------------------------------------------------- */

/* What is kept beside us for the case of our death must be cheap to keep. */
enum { LINES_WHEN_BRIEF = 20 };

/* Few of them where all is JSON. */
static json_t *save_last_lines(const struct capture *capture)
{
	const struct kept_line *line = kept_lines_last(&capture->kept, LINES_WHEN_BRIEF);
	json_t *lines = line ? json_array() : NULL;
	for (; line; line = line->newer)
		json_array_append_new(lines,
			json_pack("[I, i, s]", (json_int_t)line->at, line->level, line->text));
	return lines;
}

static void restore_last_lines(struct capture *capture, const json_t *lines)
{
	size_t i;
	json_t *item;
	json_int_t at;
	int level;
	const char *text;
	json_array_foreach(lines, i, item)
		if (json_unpack(item, "[I, i, s]", &at, &level, &text) == 0)
			kept_lines_add(&capture->kept, at, level, text);
}

static json_t *save_lines(const struct capture *capture, struct state_fds *fds)
{
	size_t size;
	char *bytes = kept_lines_save(&capture->kept, KEPT_LINES_MAX, &size);
	json_t *json = bytes ? state_save_bytes(bytes, size, fds) : NULL;
	free(bytes);
	return json;
}

/* Without them all goes on. */
static void restore_lines(
	struct capture *capture, const json_t *json, const struct state_fds *fds)
{
	const char *bytes;
	size_t size;
	if (json && state_restore_bytes(json, fds, &bytes, &size) == 0)
		kept_lines_restore(&capture->kept, bytes, size);
}

/* All lines are escaped, and the one that is not complete yet is not: it waits as bytes. */
static json_t *save_rest(const struct capture *capture)
{
	json_t *bytes = capture->used ? json_array() : NULL;
	for (size_t i = 0; i < capture->used; i++)
		json_array_append_new(bytes, json_integer((unsigned char)capture->line[i]));
	return bytes;
}

json_t *capture_save(const struct capture *capture, struct state_fds *fds)
{
	if (!capture)
		return NULL;
	json_t *json = json_object();
	json_object_set_new(json, "read_fd", state_save_fd(capture->read_fd, fds));
	/* A copy of the writing end elsewhere would hide that nobody writes any more: capture_rest. */
	if (!fds->is_brief)
		json_object_set_new(json, "write_fd", state_save_fd(capture->write_fd, fds));
	json_object_set_new(json, "last_ms", json_integer((json_int_t)capture->last_ms));
	if (fds->is_brief)
		json_object_set_new(json, "lines", save_last_lines(capture));
	else
		json_object_set_new(json, "all_lines", save_lines(capture, fds));
	json_object_set_new(json, "rest", save_rest(capture));
	return json;
}

struct capture *capture_restore(struct ev_loop *loop, const char *name, enum capture_kind kind,
	const json_t *json, struct state_fds *fds)
{
	struct capture *capture = make(loop, name, kind);
	size_t i;
	json_t *item;
	if (!capture ||
		state_restore_fd(json_object_get(json, "read_fd"), fds, &capture->read_fd) < 0 ||
		state_restore_fd(json_object_get(json, "write_fd"), fds, &capture->write_fd) < 0) {
		free(capture);
		return NULL;
	}
	restore_last_lines(capture, json_object_get(json, "lines"));
	restore_lines(capture, json_object_get(json, "all_lines"), fds);
	json_array_foreach(json_object_get(json, "rest"), i, item)
		if (capture->used < sizeof capture->line)
			capture->line[capture->used++] = (char)json_integer_value(item);
	capture->last_ms = (uint64_t)json_integer_value(json_object_get(json, "last_ms"));
	if (capture->write_fd < 0)
		capture->write_fd = open_write_end(capture);
	return capture;
}

void capture_resume(struct capture *capture)
{
	if (!capture || capture->read_fd < 0)
		return;
	ev_io_set(&capture->watcher, capture->read_fd, EV_READ);
	ev_io_start(capture->loop, &capture->watcher);
}

int capture_wake(struct capture *capture)
{
	return capture->read_fd < 0 ? open_pipe(capture) : 0;
}

/* Without our own writing end a reader sees the end, if there is no other writer. */
void capture_rest(struct capture *capture)
{
	char byte;
	if (!capture || capture->read_fd < 0)
		return;
	capture_end(capture);
	fd_close(&capture->write_fd);
	ssize_t n = read(capture->read_fd, &byte, 1);
	if (n != 0)
		capture->write_fd = open_write_end(capture);
	if (n > 0)
		take_bytes(capture, &byte, 1);
	if (capture->write_fd >= 0)
		return;
	ev_io_stop(capture->loop, &capture->watcher);
	fd_close(&capture->read_fd);
}

bool capture_is_empty(const struct capture *capture)
{
	return capture->read_fd < 0 && !capture->kept.n && !capture->n_silent;
}

void capture_destroy(struct capture *capture)
{
	if (!capture)
		return;
	capture_end(capture);
	ev_io_stop(capture->loop, &capture->watcher);
	fd_close(&capture->read_fd);
	fd_close(&capture->write_fd);
	kept_lines_fini(&capture->kept);
	free(capture);
}

int capture_write_end(const struct capture *capture)
{
	return capture->write_fd;
}

const char *capture_last_line(const struct capture *capture, unsigned i)
{
	const struct kept_line *line = capture ? capture->kept.newest : NULL;
	for (; line && i; i--)
		line = line->older;
	return line ? line->text : NULL;
}

const struct kept_lines *capture_lines(const struct capture *capture)
{
	return capture ? &capture->kept : NULL;
}

uint64_t capture_last_ms(const struct capture *capture)
{
	return capture ? capture->last_ms : 0;
}
