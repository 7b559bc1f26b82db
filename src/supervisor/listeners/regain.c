#include "supervisor/listeners/regain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "net/holder.h"
#include "net/listener.h"
#include "process/orphans.h"

struct family {
	pid_t wanted;
	bool is_ours;
};

static void look_for(void *context, pid_t pid, const char *service)
{
	(void)service;
	struct family *family = context;
	family->is_ours |= pid == family->wanted;
}

static bool is_ours(pid_t pid)
{
	struct family family = { .wanted = pid };
	return orphans_walk(look_for, &family) == 0 && family.is_ours;
}

/* "*" is bound as the IPv6 wildcard, or the IPv4 one where there is no IPv6. */
static bool is_at(int fd, const struct listen_address *where)
{
	struct sockaddr_storage name;
	socklen_t size = sizeof name;
	if (getsockname(fd, (struct sockaddr *)&name, &size) < 0 ||
		(name.ss_family != AF_INET && name.ss_family != AF_INET6))
		return false;
	struct endpoint end = endpoint_from_sockaddr((struct sockaddr *)&name);
	return end.port == where->address.port &&
	       (where->is_both_families || end.family == where->address.family) &&
	       !memcmp(end.ip, where->address.ip, sizeof end.ip);
}

static bool is_the_one(int fd, const struct listen_address *where, bool is_udp)
{
	bool is_kind = is_udp ? fd_socket_option(fd, SO_TYPE) == SOCK_DGRAM
			      : fd_socket_option(fd, SO_ACCEPTCONN) == 1;
	return is_kind && is_at(fd, where);
}

static bool is_socket(int dir_fd, const char *name)
{
	char target[16];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof target);
	return n >= 8 && !memcmp(target, "socket:[", 8);
}

static int fetch(pid_t pid, const struct listen_address *where, bool is_udp)
{
	char path[32];
	fd_auto int process = (int)syscall(SYS_pidfd_open, pid, 0);
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	DIR *dir = process < 0 ? NULL : opendir(path);
	if (!dir)
		return -errno;
	int found = -ESRCH;
	for (struct dirent *entry; found < 0 && (entry = readdir(dir));) {
		if (!is_socket(dirfd(dir), entry->d_name))
			continue;
		fd_auto int fd =
			(int)syscall(SYS_pidfd_getfd, process, atoi(entry->d_name), 0);
		if (fd >= 0 && is_the_one(fd, where, is_udp))
			found = fd_take(&fd);
	}
	closedir(dir);
	return found;
}

int regain_listener(const struct listen_address *where, bool is_udp)
{
	struct holder holder;
	char who[HOLDER_TEXT_SIZE], address[LISTENER_TEXT_SIZE];
	int r = holder_find(is_udp ? IPPROTO_UDP : IPPROTO_TCP, &where->address, &holder);
	if (r < 0)
		return r;
	for (size_t i = 0; i < holder.n_processes; i++) {
		if (!is_ours(holder.processes[i].pid))
			continue;
		int fd = fetch(holder.processes[i].pid, where, is_udp);
		if (fd < 0)
			continue;
		log_notice("%s %s is fetched back from %s, which still listens there",
			is_udp ? "udp" : "tcp",
			listener_format(address, &where->address, where->is_both_families),
			holder_format(who, &holder));
		return fd;
	}
	return -ESRCH;
}
