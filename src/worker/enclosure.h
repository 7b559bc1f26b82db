/*
 * Another root directory, for the commands and so for us.
 *
 * We are not below it, nor are the libraries that we may need, so that nobody can change it for us
 * before we are started: the supervisor leaves us the right to, and we give it up here, before the first
 * connection.
 */
#ifndef FDSUP_WORKER_ENCLOSURE_H
#define FDSUP_WORKER_ENCLOSURE_H

#include <stdbool.h>

#include "worker/options.h"

/* Does what the options --chroot, --directory and --capabilities say. False: it was logged why not. */
bool enclosure_enter(const struct options *options);

#endif
