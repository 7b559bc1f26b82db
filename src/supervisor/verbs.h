/*
 * The verbs of the admin channel: one row and one function each.
 */
#ifndef FDSUP_SUPERVISOR_VERBS_H
#define FDSUP_SUPERVISOR_VERBS_H

struct supervisor;

/* Serves the admin socket. Takes the listening descriptor. 0 or -ENOMEM. */
int verbs_serve(struct supervisor *supervisor, int listen_fd);

#endif
