/*
 * What can be said without a daemon: whether it died or was never started, since when it had been
 * there, and who holds its ports now. It comes from two files that fdsup leaves in its runtime
 * directory, `fdsup.pid` and `listeners`, and from /proc.
 */
#ifndef FDSUP_CTL_DEAD_H
#define FDSUP_CTL_DEAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct dead {
	char *pid_file;
	int pid_file_error;    /* 0: it is there; ENOENT: it is not; else why it cannot be read */
	pid_t pid;             /* 0: the file does not tell */
	int64_t started_at_ms; /* since 1970; 0: the file does not tell */
	bool is_running;       /* that process is there, and is not another with the same id */
	json_t *listeners;     /* objects: protocol, address, port, service, held_by */
};

/* Looks around the socket. 0 or -ENOMEM. */
int dead_inspect(const char *socket_path, struct dead *ret);
void dead_fini(struct dead *dead);

/* CTL_DEAD, CTL_NOT_RUNNING, or CTL_UNKNOWN when it runs and does not answer. */
int dead_exitcode(const struct dead *dead);

/* The following are pure. "4711\n1772366400000\n"; what is missing or nonsense is 0. */
void dead_parse_pid(const char *text, pid_t *ret_pid, int64_t *ret_started_at_ms);

/* One line of `listeners`: "tcp 127.0.0.1 8080 hello". NULL if it is not one. */
json_t *dead_parse_listener(const char *line);

#endif
