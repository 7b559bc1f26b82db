/*
 * What the records of workers and of commands have in common: parts of the type Death of
 * src/admin/org.fdsup.varlink.
 */
#ifndef FDSUP_SUPERVISOR_DEATH_DETAILS_H
#define FDSUP_SUPERVISOR_DEATH_DETAILS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct control_client;
struct service;

/* Time, service, program, how and next try; NULL without memory. `next_ms` 0: at once, or none. */
json_t *death_make(
	const struct service *service, const char *program, const char *how, uint64_t next_ms);

/* The last `n` lines on standard error that were read at `since` or later (ms since 1970). */
void death_add_lines(json_t *death, const struct service *service, unsigned n, int64_t since);

struct death_process {
	int pid;
	int status;
	const char *program;      /* its path; NULL: not known */
	bool has_limits_of_fdsup; /* RLIMIT_CORE is fdsup's own, whatever the service's keys say */
};

/* Where its core file is, or why there is none. */
void death_add_core(json_t *death, const struct service *service, const struct death_process *process);

/* Who it was, as far as log_address lets it be shown, and the connection. */
void death_add_client(
	json_t *object, const struct service *service, const struct control_client *client);

void death_add_usage(json_t *death, uint64_t cpu_ms, uint64_t max_rss_kib);

#endif
