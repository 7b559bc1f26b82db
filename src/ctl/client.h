/*
 * One question to the daemon and its answer: a blocking Varlink client with a deadline, so that a
 * daemon that hangs is reported and not waited for.
 */
#ifndef FDSUP_CTL_CLIENT_H
#define FDSUP_CTL_CLIENT_H

#include <jansson.h>

enum { CLIENT_REPLY_MAX = 64 * 1024 * 1024 };

/* `error` is the full name, or NULL for a success; `parameters` always an object. */
struct client_reply {
	char *error;
	json_t *parameters;
};

/* 0 and a descriptor, or -errno; -ETIMEDOUT when the daemon has not come to accept. */
int client_connect(const char *path, unsigned timeout_ms, int *ret_fd);

/*
 * Takes `parameters`. 0 and *ret, or -ETIMEDOUT (no answer), -ECONNRESET (it hung up instead),
 * -EBADMSG (what came is not Varlink), -EMSGSIZE (it does not end), or another -errno.
 */
int client_call(int fd, const char *method, json_t *parameters, unsigned timeout_ms,
	struct client_reply *ret);

void client_reply_fini(struct client_reply *reply);

#endif
