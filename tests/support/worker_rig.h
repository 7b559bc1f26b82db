/*
 * A real fdsup-worker under test, with the test as its acceptor and its client.
 *
 * The worker dies with the test. What it writes to standard error can be read here.
 */
#ifndef FDSUP_TESTS_SUPPORT_WORKER_RIG_H
#define FDSUP_TESTS_SUPPORT_WORKER_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "wire/handoff.h"
#include "wire/report.h"

enum { RIG_TIMEOUT_MS = 20000, RIG_TEXT_SIZE = 65536 };

/* So far above the soft limit that rig_start sets lies the hard one. */
enum { RIG_NOFILE_ROOM = 1000 };

struct worker_rig {
	const char *program; /* NULL: fdsup-worker */
	int extra_fd;        /* passed behind the queue; not owned; 0 or -1: none */
	pid_t pid;
	int acceptor_end; /* of the queue; -1 when the worker runs by hand */
	int worker_end;
	int log_fd; /* what the worker writes to standard error */
	size_t log_length;
	char log[RIG_TEXT_SIZE];
	struct report reports[REPORTS_PER_MESSAGE]; /* received, not yet asked for */
	size_t n_reports;
	size_t next_report;
};

/* The path of a program that was built with the tests. Static storage of two. */
const char *rig_program(const char *name);

/* A new directory for the test, removed with all in it by rig_remove. Static storage. */
const char *rig_directory(void);
void rig_remove(const char *directory);

/*
 * Starts "fdsup-worker --queue 3 --service test WORDS...", or with the socket mode's own words when
 * with_queue is false. `nofile` 0: the limit stays.
 */
void rig_start(
	struct worker_rig *rig, bool with_queue, const char *const words[], unsigned long nofile);

/*
 * The same with another program that is a worker, and with one more descriptor: 4, or 3 where there
 * is no queue.
 */
void rig_start_program(struct worker_rig *rig, const char *program, int extra_fd, bool with_queue,
	const char *const words[], unsigned long nofile);

/* Starts another worker on the queue of the first. */
void rig_join(struct worker_rig *rig, const struct worker_rig *first, const char *const words[]);

/* Waits until the worker has ended; its wait status. Fails the test when it does not. */
int rig_wait(struct worker_rig *rig);

/* Ends the worker if need be, and closes everything. */
void rig_stop(struct worker_rig *rig);

/* Waits until the worker's log holds the text. */
void rig_expect_log(struct worker_rig *rig, const char *text);
/* How often it is there by now. */
size_t rig_count_log(struct worker_rig *rig, const char *text);

/* A TCP connection over loopback: [0] the client's end, [1] the accepted one, with its record. */
struct handoff rig_connect(int ret_ends[2]);

/* Hands over a new TCP connection with its record; returns the client's end. */
int rig_send(struct worker_rig *rig, uint64_t connection);

/* The next report of the worker. */
struct report rig_report(struct worker_rig *rig);

/* Reads until the end; returns static text. */
const char *rig_read_all(int fd);
/* Reads a line; returns static text. */
const char *rig_read_line(int fd);

/* Waits until the process (no child of ours) is gone. */
void rig_expect_gone(pid_t pid);

/* Whether the descriptor becomes readable within the time; 0: whether it is. */
bool rig_is_readable(int fd, int timeout_ms);

/* How many descriptors another process has. */
size_t rig_count_descriptors(pid_t pid);

#endif
