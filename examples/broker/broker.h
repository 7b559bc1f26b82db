/*
 * What mycat and openfile say to each other, over a Unix stream socket.
 *
 * Request: the name of a file, ended by a zero byte. Answer: one message of four bytes, an errno in
 * host byte order; with 0 comes the descriptor of the file, open for reading.
 */
#ifndef BROKER_H
#define BROKER_H

#include <limits.h>
#include <stdint.h>

enum { BROKER_NAME_MAX = PATH_MAX, BROKER_PATIENCE_MS = 10000 };

#endif
