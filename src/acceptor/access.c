#include "acceptor/access.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* More than that would make each connection wait for the look through them. */
enum { NETWORKS_MAX = 65536 };

static int read_networks(int fd, struct network *networks, size_t n)
{
	size_t size = n * sizeof *networks;
	ssize_t n_read = n ? pread(fd, networks, size, 0) : 0;
	if (n_read < 0)
		return -errno;
	if ((size_t)n_read != size)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		bool is_ipv4 = networks[i].family == AF_INET;
		if ((!is_ipv4 && networks[i].family != AF_INET6) ||
			networks[i].prefix > (is_ipv4 ? 32 : 128))
			return -EINVAL;
	}
	return 0;
}

int access_read(const struct control_access *message, int fd, struct access **ret_access)
{
	size_t n_allow = message->n_allow, n = n_allow + message->n_deny;
	*ret_access = NULL;
	if (n > NETWORKS_MAX || (n > 0) != (fd >= 0))
		return -EINVAL;
	if (n == 0 && !message->has_allow)
		return 0;
	struct access *access = malloc(sizeof *access + n * sizeof *access->networks);
	if (!access)
		return -ENOMEM;
	int r = read_networks(fd, access->networks, n);
	if (r < 0) {
		free(access);
		return r;
	}
	access->rules = (struct access_rules){
		.has_allow = message->has_allow,
		.allow = access->networks,
		.n_allow = n_allow,
		.deny = access->networks + n_allow,
		.n_deny = message->n_deny,
	};
	*ret_access = access;
	return 0;
}
