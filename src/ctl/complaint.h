/*
 * What went wrong, in words, and what to do about it: lines on standard error, harmless whatever
 * they quote.
 */
#ifndef FDSUP_CTL_COMPLAINT_H
#define FDSUP_CTL_COMPLAINT_H

#include "ctl/client.h"

void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* client_connect has failed with this errno. Returns the exit code. */
int complain_connect(const char *socket_path, int error);

/* client_call has failed with this errno. Returns the exit code. */
int complain_call(const char *socket_path, int error, unsigned timeout_ms);

/* A service that a reload could not change over: a Failure of the admin channel. */
void complain_kept(const json_t *failure);

/* The daemon has answered with an error. */
void complain_reply(const char *socket_path, const struct client_reply *reply);

#endif
