/*
 * Who may ask, and who may order: admin.status and admin.control of the configuration.
 */
#ifndef FDSUP_SUPERVISOR_ROLE_H
#define FDSUP_SUPERVISOR_ROLE_H

#include "admin/server.h"

/* For struct admin_interface; the context is the supervisor. */
enum admin_role role_of(void *context, const struct ucred *peer);

#endif
