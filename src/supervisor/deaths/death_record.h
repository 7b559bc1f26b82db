/*
 * One death, with all that is known of it at that moment: the type Death of src/admin/org.fdsup.varlink.
 */
#ifndef FDSUP_SUPERVISOR_DEATH_RECORD_H
#define FDSUP_SUPERVISOR_DEATH_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct control_toll;
struct service;
struct supervisor;
struct worker;

/* The process is gone; its last words are read. `next_ms` until the next try; 0: at once or none. */
void death_record_exit(
	const struct service *service, const struct worker *worker, int status, uint64_t next_ms);

/* It could not even be started: the step that failed, and the errno; maybe of one that a reload tries. */
void death_record_failed_start(
	const struct service *service, const char *step, int error, uint64_t next_ms, bool is_trial);

/* fdsup itself, of which we have taken everything over; it had begun at `started_wall_ms`. */
void death_record_fdsup(struct supervisor *supervisor, pid_t pid, int64_t started_wall_ms);

/* What it has cost, which the acceptor says a little later: into the record, if there is one. */
void death_record_toll(const struct service *service, const struct control_toll *toll);

#endif
