/*
 * The verbs of the admin channel: one row and one function each.
 */
#ifndef FDSUP_SUPERVISOR_VERBS_H
#define FDSUP_SUPERVISOR_VERBS_H

#include "admin/server.h"

struct supervisor;

extern const struct admin_verb verbs_table[];
extern const size_t verbs_table_n;

/* Serves the admin socket. Takes the listening descriptor. 0 or -ENOMEM. */
int verbs_serve(struct supervisor *supervisor, int listen_fd);

#endif
