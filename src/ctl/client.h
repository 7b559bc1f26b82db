/*
 * One question to the daemon and its answer: a blocking Varlink client with a deadline, so that a
 * daemon that hangs is reported and not waited for.
 */
#ifndef FDSUP_CTL_CLIENT_H
#define FDSUP_CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { CLIENT_REPLY_MAX = 64 * 1024 * 1024 };

/* `error` is the full name, or NULL for a success; `parameters` always an object. */
struct client_reply {
	char *error;
	json_t *parameters;
	bool continues; /* more of them follow */
};

/* What has come of answers that are not yet wanted. All zeros: nothing. */
struct client_input {
	char *bytes;
	size_t used, size;
	size_t taken;   /* bytes of the message given out last */
	size_t scanned; /* known to hold no end */
};

/* 0 and a descriptor, or -errno; -ETIMEDOUT when the daemon has not come to accept. */
int client_connect(const char *path, unsigned timeout_ms, int *ret_fd);

/*
 * Takes `parameters`. Timeout 0: waits for ever. 0 and *ret, or -ETIMEDOUT (no answer), -ECONNRESET (it hung up instead),
 * -EBADMSG (what came is not Varlink), -EMSGSIZE (it does not end), or another -errno.
 */
int client_call(int fd, const char *method, json_t *parameters, unsigned timeout_ms,
	struct client_reply *ret);

/* Asks for answers without an end. Takes `parameters`. 0 or -errno. */
int client_call_more(int fd, const char *method, json_t *parameters, unsigned timeout_ms);

/* The next of them: 0, or an error of client_call. Timeout 0: waits for ever. */
int client_next(
	struct client_input *input, int fd, unsigned timeout_ms, struct client_reply *ret);

/* The same, not read; the text is the input's until the next. */
int client_next_text(
	struct client_input *input, int fd, unsigned timeout_ms, const char **ret_text);

/* Reads one. 0, -EBADMSG or -ENOMEM. */
int client_parse(const char *text, struct client_reply *ret);

/* Whether one is there already, which poll(2) would not tell. */
bool client_has_next(const struct client_input *input);
void client_input_fini(struct client_input *input);

void client_reply_fini(struct client_reply *reply);

#endif
