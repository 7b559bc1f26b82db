/*
 * The supervisor's commands: each message of wire/control.h checked and carried out.
 *
 * What does not fit the catalogue means that one of the two processes is broken. Then the acceptor
 * says what it saw and ends with status 70 (EX_SOFTWARE); the supervisor starts another.
 */
#ifndef FDSUP_ACCEPTOR_COMMANDS_H
#define FDSUP_ACCEPTOR_COMMANDS_H

#include <stddef.h>

#include "acceptor/acceptor.h"
#include "wire/control.h"

/* Handles one message and takes its descriptors. The loop is stopped if it is nonsense. */
void commands_handle(struct acceptor *acceptor, const union control_message *message, size_t length,
	int fds[CONTROL_FDS_MAX], size_t n_fds);

#endif
