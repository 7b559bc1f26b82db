/*
 * What fdsup does at its beginning, whether it begins anew or takes the place of another; each is 0, or
 * -errno after it was logged.
 */
#ifndef FDSUP_SUPERVISOR_START_STEPS_H
#define FDSUP_SUPERVISOR_START_STEPS_H

struct supervisor;

int start_prepare(struct supervisor *supervisor);
int start_loop(struct supervisor *supervisor);

/* The lock on the runtime directory: two supervisors on one are impossible. */
int start_lock(struct supervisor *supervisor);

int start_open_log(struct supervisor *supervisor);
int start_open_admin(struct supervisor *supervisor);

/* Before anything runs that would have to be ended if it cannot be written. */
int start_write_pid_file(struct supervisor *supervisor);

#endif
