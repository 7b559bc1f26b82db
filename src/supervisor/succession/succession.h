/*
 * Taking the place of another fdsup: of the one that executed us, or of one that died; or ending what that
 * one has left.
 */
#ifndef FDSUP_SUPERVISOR_SUCCESSION_H
#define FDSUP_SUPERVISOR_SUCCESSION_H

struct supervisor;

/* In its process, after an upgrade. 0 or -errno. */
int succession_after_exec(struct supervisor *supervisor);

/* After a death. 1: what it left was taken over; 0: there is nothing to take over; -errno. */
int succession_look(struct supervisor *supervisor);

/* There can be no start: what a dead one has left goes on, for whoever is started next. */
void succession_leave(struct supervisor *supervisor);

/* Its processes that nobody can take over any more, since its keeper is gone, too, are ended. 0. */
int succession_end_left(struct supervisor *supervisor);

/* fdsup --end: ends all that a dead fdsup has left, instead of taking it over. 0 or -errno. */
int succession_end(struct supervisor *supervisor);

#endif
