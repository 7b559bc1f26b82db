#include "acceptor/access.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/config.h"

/* More than that would make each connection wait for the look through them. */
enum { NETWORKS_MAX = 65536, WINDOWS_MAX = 1024 };

static bool are_networks(const struct network *networks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool is_ipv4 = networks[i].family == AF_INET;
		if ((!is_ipv4 && networks[i].family != AF_INET6) ||
			networks[i].prefix > (is_ipv4 ? 32 : 128))
			return false;
	}
	return true;
}

static bool are_windows(const struct window *windows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (windows[i].from >= DAY_MINUTES || windows[i].to > 2 * DAY_MINUTES)
			return false;
	return true;
}

/* Cuts the content, which is already there, into its parts. */
static void cut(struct access *access, const struct control_access *message)
{
	struct network *networks = (struct network *)access->content;
	struct window *windows = (struct window *)(networks + message->n_allow + message->n_deny);
	char *texts = (char *)(windows + message->n_windows);
	access->rules = (struct access_rules){
		.has_allow = message->has_allow,
		.allow = networks,
		.n_allow = message->n_allow,
		.deny = networks + message->n_allow,
		.n_deny = message->n_deny,
	};
	access->windows = windows;
	access->n_windows = message->n_windows;
	access->max_load_centi = message->max_load_centi;
	access->refuse_message = (struct access_text){ texts, message->refuse_length };
	access->banner =
		(struct access_text){ texts + message->refuse_length, message->banner_length };
}

/* 0, -EINVAL or another -errno. */
static int fill(struct access *access, const struct control_access *message, int fd, size_t size)
{
	size_t n_networks = (size_t)message->n_allow + message->n_deny;
	ssize_t n = size ? pread(fd, access->content, size, 0) : 0;
	if (n < 0)
		return -errno;
	if ((size_t)n != size)
		return -EINVAL;
	cut(access, message);
	return are_networks(access->rules.allow, n_networks) &&
			       are_windows(access->windows, access->n_windows)
		       ? 0
		       : -EINVAL;
}

int access_read(const struct control_access *message, int fd, struct access **ret_access)
{
	*ret_access = NULL;
	if (message->n_allow > NETWORKS_MAX || message->n_deny > NETWORKS_MAX ||
		message->n_windows > WINDOWS_MAX || message->refuse_length > CLIENT_TEXT_MAX ||
		message->banner_length > CLIENT_TEXT_MAX)
		return -EINVAL;
	size_t size = control_access_size(message);
	if ((size > 0) != (fd >= 0))
		return -EINVAL;
	if (size == 0 && !message->has_allow && !message->max_load_centi)
		return 0;
	struct access *access = malloc(sizeof *access + size);
	if (!access)
		return -ENOMEM;
	int r = fill(access, message, fd, size);
	if (r < 0) {
		free(access);
		return r;
	}
	*ret_access = access;
	return 0;
}

void access_say(const struct access_text *text, int connection)
{
	if (text->length)
		(void)!send(connection, text->bytes, text->length, MSG_DONTWAIT | MSG_NOSIGNAL);
}
