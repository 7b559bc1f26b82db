/*
 * What programs write to standard error: read from a pipe, cut into lines, escaped, logged with the
 * name of the service (at the level that a prefix "<3>" gives it, see sd-daemon(3)), and the last
 * lines kept for `fdsupctl logs` and all that quotes last words.
 *
 * We keep both ends, so the pipe outlives the programs. What is read in one turn is bounded: one
 * talkative service does not silence the others.
 */
#ifndef FDSUP_SUPERVISOR_CAPTURE_H
#define FDSUP_SUPERVISOR_CAPTURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <ev.h>

#include "supervisor/log/kept_lines.h"

enum { CAPTURE_LINE_MAX = 1024 };

struct capture;
struct state_fds;

enum capture_kind {
	CAPTURE_PROGRAM, /* of a service: logged as "NAME: stderr: LINE", and the last ones kept */
	CAPTURE_OURS,    /* of our own acceptor: logged as they are */
};

/* NULL and errno. The name is copied. */
struct capture *capture_create(struct ev_loop *loop, const char *name, enum capture_kind kind);
void capture_destroy(struct capture *capture);

/* For the program that takes our place, and back; the pipe is read from only after capture_resume. */
json_t *capture_save(const struct capture *capture, struct state_fds *fds);
struct capture *capture_restore(struct ev_loop *loop, const char *name, enum capture_kind kind,
	const json_t *json, struct state_fds *fds);
void capture_resume(struct capture *capture);

/* The end that programs get as standard error; stays ours. */
int capture_write_end(const struct capture *capture);

/*
 * Its service is at rest: gives the pipe's descriptors back, unless a process is left that may still
 * write. What was kept stays. NULL: nothing is done.
 */
void capture_rest(struct capture *capture);

/* It rests, and has kept nothing: another that is made later is as good. */
bool capture_is_empty(const struct capture *capture);

/* Makes the pipe again if it was given back. 0 or -errno. */
int capture_wake(struct capture *capture);

/* Reads what has been written until now, so that it precedes what is logged next. */
void capture_drain(struct capture *capture);

/* The same, when nobody is left to end the last line. */
void capture_end(struct capture *capture);

/* The i-th last line kept, 0 being the last; NULL if there are not so many. Escaped. */
const char *capture_last_line(const struct capture *capture, unsigned i);

/* The lines kept; NULL for no capture. */
const struct kept_lines *capture_lines(const struct capture *capture);

/* Is called with each line of a program that is kept. One for all. */
typedef void capture_follower(const char *name, const struct kept_line *line);
void capture_set_follower(capture_follower *follower);

/* CLOCK_MONOTONIC in ms of the last line; 0 if there was none. */
uint64_t capture_last_ms(const struct capture *capture);

#endif
