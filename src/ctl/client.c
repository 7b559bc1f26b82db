#include "ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

enum { RETRY_MS = 20 };

/* -1: for ever. */
static int left_ms(uint64_t deadline_ms)
{
	uint64_t now_ms = clock_now_ms();
	if (deadline_ms == 0)
		return -1;
	return now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0;
}

/* 0, -ETIMEDOUT or -errno. */
static int wait_for(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	for (;;) {
		int n = poll(&poll_fd, 1, left_ms(deadline_ms));
		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int client_connect(const char *path, unsigned timeout_ms, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	uint64_t deadline_ms = clock_now_ms() + timeout_ms;
	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A full backlog gives EAGAIN, and nothing to poll for. */
	while (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (!left_ms(deadline_ms))
			return -ETIMEDOUT;
		poll(NULL, 0, RETRY_MS);
	}
	*ret_fd = fd_take(&fd);
	return 0;
}

static int send_all(int fd, const char *bytes, size_t length, uint64_t deadline_ms)
{
	while (length) {
		ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
		if (n >= 0) {
			bytes += n;
			length -= (size_t)n;
		} else if (errno == EPIPE) {
			/* It may have told why before it closed. */
			return 0;
		} else if (errno != EINTR) {
			int r = errno == EAGAIN ? wait_for(fd, POLLOUT, deadline_ms) : -errno;
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Drops the message that was given out last; what came behind it moves to the front. */
static void input_advance(struct client_input *input)
{
	memmove(input->bytes, input->bytes + input->taken, input->used - input->taken);
	input->used -= input->taken;
	input->taken = input->scanned = 0;
}

/* The end of the first message, or NULL. */
static char *input_find_end(struct client_input *input)
{
	char *end = input->used > input->scanned ? memchr(input->bytes + input->scanned, 0,
							   input->used - input->scanned)
						 : NULL;
	input->scanned = input->used;
	return end;
}

static int input_make_room(struct client_input *input)
{
	if (input->used < input->size)
		return 0;
	size_t larger = input->size ? 2 * input->size : 16 * 1024;
	if (larger > CLIENT_REPLY_MAX)
		return -EMSGSIZE;
	char *bytes = realloc(input->bytes, larger);
	if (!bytes)
		return -ENOMEM;
	input->bytes = bytes;
	input->size = larger;
	return 0;
}

/* 0 and one message, which stays the input's until the next. */
static int receive_message(
	struct client_input *input, int fd, uint64_t deadline_ms, const char **ret_text)
{
	int r = 0;
	if (input->taken)
		input_advance(input);
	while (r == 0) {
		char *end = input_find_end(input);
		if (end) {
			input->taken = (size_t)(end - input->bytes) + 1;
			*ret_text = input->bytes;
			return 0;
		}
		r = input_make_room(input);
		if (r < 0)
			break;
		ssize_t n = recv(fd, input->bytes + input->used, input->size - input->used, 0);
		if (n > 0)
			input->used += (size_t)n;
		else if (n == 0)
			r = -ECONNRESET;
		else if (errno == EAGAIN)
			r = wait_for(fd, POLLIN, deadline_ms);
		else if (errno != EINTR)
			r = -errno;
	}
	return r;
}

int client_parse(const char *text, struct client_reply *ret)
{
	json_error_t error;
	json_t *message = json_loads(text, 0, &error);
	json_t *parameters = json_object_get(message, "parameters");
	const json_t *name = json_object_get(message, "error");
	int r = 0;
	if (!json_is_object(message) || (name && !json_is_string(name)) ||
		(parameters && !json_is_object(parameters))) {
		r = -EBADMSG;
	} else {
		ret->error = name ? strdup(json_string_value(name)) : NULL;
		ret->parameters = parameters ? json_incref(parameters) : json_object();
		ret->continues = json_is_true(json_object_get(message, "continues"));
		r = (name && !ret->error) || !ret->parameters ? -ENOMEM : 0;
		if (r < 0)
			client_reply_fini(ret);
	}
	json_decref(message);
	return r;
}

static int send_call(
	int fd, const char *method, json_t *parameters, bool wants_more, uint64_t deadline_ms)
{
	json_t *message = json_pack("{s:s, s:o}", "method", method, "parameters", parameters);
	if (message && wants_more)
		json_object_set_new(message, "more", json_true());
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	int r = text ? send_all(fd, text, strlen(text) + 1, deadline_ms) : -ENOMEM;
	free(text);
	json_decref(message);
	return r;
}

int client_call(int fd, const char *method, json_t *parameters, unsigned timeout_ms,
	struct client_reply *ret)
{
	uint64_t deadline_ms = timeout_ms ? clock_now_ms() + timeout_ms : 0;
	struct client_input input = { 0 };
	const char *answer;
	int r = send_call(fd, method, parameters, false, deadline_ms);
	if (r == 0)
		r = receive_message(&input, fd, deadline_ms, &answer);
	if (r == 0)
		r = client_parse(answer, ret);
	client_input_fini(&input);
	return r;
}

int client_call_more(int fd, const char *method, json_t *parameters, unsigned timeout_ms)
{
	return send_call(fd, method, parameters, true, clock_now_ms() + timeout_ms);
}

int client_next_text(
	struct client_input *input, int fd, unsigned timeout_ms, const char **ret_text)
{
	return receive_message(input, fd, timeout_ms ? clock_now_ms() + timeout_ms : 0, ret_text);
}

int client_next(
	struct client_input *input, int fd, unsigned timeout_ms, struct client_reply *ret)
{
	const char *answer;
	int r = client_next_text(input, fd, timeout_ms, &answer);
	return r == 0 ? client_parse(answer, ret) : r;
}

bool client_has_next(const struct client_input *input)
{
	size_t n = input->used - input->taken;
	return n && memchr(input->bytes + input->taken, 0, n);
}

void client_input_fini(struct client_input *input)
{
	free(input->bytes);
	*input = (struct client_input){ 0 };
}

void client_reply_fini(struct client_reply *reply)
{
	free(reply->error);
	json_decref(reply->parameters);
	*reply = (struct client_reply){ 0 };
}
