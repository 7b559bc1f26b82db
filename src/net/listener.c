#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

static socklen_t to_sockaddr(const struct endpoint *end, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof *ret);
	if (end->family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;
		in->sin_family = AF_INET;
		in->sin_port = htons(end->port);
		memcpy(&in->sin_addr, end->ip, 4);
		return sizeof *in;
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(end->port);
	in6->sin6_scope_id = end->scope;
	memcpy(&in6->sin6_addr, end->ip, 16);
	return sizeof *in6;
}

static int set_flag(int fd, int level, int name, bool value)
{
	int number = value;
	return setsockopt(fd, level, name, &number, sizeof number);
}

/* IPv6 has the option of IPv4, too, but for the IPv4 half of a socket for both. */
static int set_freebind(int fd, int family)
{
	if (family == AF_INET6 && set_flag(fd, IPPROTO_IPV6, IPV6_FREEBIND, true) < 0)
		return -1;
	return set_flag(fd, IPPROTO_IP, IP_FREEBIND, true);
}

/* Without privilege from Linux 5.7 on: socket(7). */
static int bind_to_interface(int fd, const char *name)
{
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name));
}

static int set_defer(int fd, unsigned seconds)
{
	int number = (int)seconds;
	return setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &number, sizeof number);
}

static int set_options(int fd, const struct listener_options *options, int family)
{
	bool is_v6only = options->is_v6only && !options->is_both_families;
	bool is_tcp = !options->is_udp;
	/* Without it a port stays taken for a minute by the connections of the fdsup before. */
	if (is_tcp && set_flag(fd, SOL_SOCKET, SO_REUSEADDR, true) < 0)
		return -1;
	if (options->shares_port && set_flag(fd, SOL_SOCKET, SO_REUSEPORT, true) < 0)
		return -1;
	if (family == AF_INET6 && set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_v6only) < 0)
		return -1;
	if (is_tcp && options->has_nodelay && set_flag(fd, IPPROTO_TCP, TCP_NODELAY, true) < 0)
		return -1;
	if (is_tcp && options->has_keepalive && set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, true) < 0)
		return -1;
	if (is_tcp && options->defer_s && set_defer(fd, options->defer_s) < 0)
		return -1;
	if (options->has_freebind && set_freebind(fd, family) < 0)
		return -1;
	return 0;
}

static int open_one(const struct listener_options *options, const struct endpoint *address,
	int *ret_fd, const char **ret_step)
{
	struct sockaddr_storage name;
	socklen_t length = to_sockaddr(address, &name);
	*ret_step = "socket";
	int type = (options->is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC |
		   (options->is_blocking ? 0 : SOCK_NONBLOCK);
	fd_auto int fd = socket(address->family, type, 0);
	if (fd < 0)
		return -errno;
	*ret_step = "setsockopt";
	if (set_options(fd, options, address->family) < 0)
		return -errno;
	*ret_step = "interface (SO_BINDTODEVICE)";
	if (options->interface && bind_to_interface(fd, options->interface) < 0)
		return -errno;
	*ret_step = "allow and deny, as a filter in the kernel (SO_ATTACH_FILTER)";
	int r = options->filter ? filter_attach(fd, options->filter) : 0;
	if (r < 0)
		return r;
	*ret_step = "bind";
	if (bind(fd, (struct sockaddr *)&name, length) < 0)
		return -errno;
	*ret_step = "listen";
	if (!options->is_udp && listen(fd, options->backlog) < 0)
		return -errno;
	/* Nobody else is to bind beside us later. */
	if (options->shares_port)
		listener_share_port(fd, false);
	*ret_fd = fd_take(&fd);
	return 0;
}

int listener_open(const struct listener_options *options, int *ret_fd, const char **ret_step)
{
	int r = open_one(options, &options->address, ret_fd, ret_step);
	bool has_no_ipv6 = r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL;
	if (!options->is_both_families || !has_no_ipv6)
		return r;
	struct endpoint any = { .family = AF_INET, .port = options->address.port };
	return open_one(options, &any, ret_fd, ret_step);
}

void listener_share_port(int fd, bool is_shared)
{
	set_flag(fd, SOL_SOCKET, SO_REUSEPORT, is_shared);
}

static void set_blocking(int fd, bool is_blocking)
{
	int flags = fcntl(fd, F_GETFL);
	int wanted = is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
	if (flags >= 0 && flags != wanted)
		fcntl(fd, F_SETFL, wanted);
}

void listener_apply(int fd, const struct listener_options *options)
{
	set_blocking(fd, options->is_blocking);
	if (options->is_udp)
		return;
	set_flag(fd, IPPROTO_TCP, TCP_NODELAY, options->has_nodelay);
	set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, options->has_keepalive);
	set_defer(fd, options->defer_s);
	listen(fd, options->backlog);
}

int listener_queue(int fd, unsigned *ret_waiting, unsigned *ret_backlog)
{
	struct tcp_info info;
	socklen_t length = sizeof info;
	memset(&info, 0, sizeof info);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
		return -errno;
	/* In LISTEN the kernel reports the accept queue in these two fields (tcp_get_info). */
	*ret_waiting = info.tcpi_unacked;
	*ret_backlog = info.tcpi_sacked;
	return 0;
}

int listener_drops(int fd, unsigned *ret_drops)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t length = sizeof info;
	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length) < 0)
		return -errno;
	if (length <= SK_MEMINFO_DROPS * sizeof *info)
		return -ENODATA;
	*ret_drops = info[SK_MEMINFO_DROPS];
	return 0;
}

char *listener_format(
	char text[LISTENER_TEXT_SIZE], const struct endpoint *address, bool is_both_families)
{
	if (is_both_families)
		snprintf(text, LISTENER_TEXT_SIZE, "*:%u", address->port);
	else
		endpoint_format(text, address);
	return text;
}
