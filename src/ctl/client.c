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

static int left_ms(uint64_t deadline_ms)
{
	uint64_t now_ms = clock_now_ms();
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

/* 0 and the text of one message, to be freed. */
static int receive_message(int fd, uint64_t deadline_ms, char **ret_text)
{
	char *text = NULL;
	size_t used = 0, size = 0;
	int r = 0;
	while (r == 0) {
		if (used == size) {
			size_t larger = size ? 2 * size : 16 * 1024;
			char *copy = larger > CLIENT_REPLY_MAX ? NULL : realloc(text, larger);
			if (!copy) {
				r = larger > CLIENT_REPLY_MAX ? -EMSGSIZE : -ENOMEM;
				break;
			}
			text = copy;
			size = larger;
		}
		ssize_t n = recv(fd, text + used, size - used, 0);
		if (n > 0 && memchr(text + used, 0, (size_t)n)) {
			*ret_text = text;
			return 0;
		}
		if (n > 0)
			used += (size_t)n;
		else if (n == 0)
			r = -ECONNRESET;
		else if (errno == EAGAIN)
			r = wait_for(fd, POLLIN, deadline_ms);
		else if (errno != EINTR)
			r = -errno;
	}
	free(text);
	return r;
}

static int parse_reply(const char *text, struct client_reply *ret)
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
		r = (name && !ret->error) || !ret->parameters ? -ENOMEM : 0;
		if (r < 0)
			client_reply_fini(ret);
	}
	json_decref(message);
	return r;
}

int client_call(int fd, const char *method, json_t *parameters, unsigned timeout_ms,
	struct client_reply *ret)
{
	uint64_t deadline_ms = clock_now_ms() + timeout_ms;
	json_t *message = json_pack("{s:s, s:o}", "method", method, "parameters", parameters);
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	char *answer = NULL;
	int r = text ? send_all(fd, text, strlen(text) + 1, deadline_ms) : -ENOMEM;
	if (r == 0)
		r = receive_message(fd, deadline_ms, &answer);
	if (r == 0)
		r = parse_reply(answer, ret);
	free(answer);
	free(text);
	json_decref(message);
	return r;
}

void client_reply_fini(struct client_reply *reply)
{
	free(reply->error);
	json_decref(reply->parameters);
	*reply = (struct client_reply){ 0 };
}
