/*
 * The acceptor by hand: listeners on one address and port, one worker socket, no supervisor.
 *
 * It speaks the classic wire format, so any program that understands it can be the worker. The
 * worker may come late, die and come back: as long as it is away nothing is accepted, the kernel
 * keeps the clients waiting, and a connection that could not be passed is passed to its successor.
 */
#ifndef FDSUP_ACCEPTOR_BYHAND_H
#define FDSUP_ACCEPTOR_BYHAND_H

#include "acceptor/options.h"

/* Serves until TERM or INT; returns the exit status. */
int byhand_run(const struct options *options);

#endif
