#include "net/holder.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"

enum { SOCKETS_MAX = 64, STATE_TCP_LISTEN = 0x0a };

/* The sockets in the way. Those whose process has been found are told from those that are hidden.
 */
struct found_socket {
	unsigned long inode;
	uid_t uid;
	bool is_seen;
};

struct search {
	int protocol;
	struct endpoint address;
	struct found_socket sockets[SOCKETS_MAX];
	size_t n_sockets;
	struct holder *holder;
};

/* "0100007F:1F90": words of the address in host order, and the port. */
static bool parse_endpoint(const char *text, struct endpoint *ret)
{
	size_t digits = strspn(text, "0123456789ABCDEFabcdef");
	if ((digits != 8 && digits != 32) || text[digits] != ':')
		return false;
	*ret = (struct endpoint){ .family = digits == 8 ? AF_INET : AF_INET6 };
	for (size_t i = 0; i < digits / 8; i++) {
		char word_text[9] = { 0 };
		memcpy(word_text, text + 8 * i, 8);
		uint32_t word = (uint32_t)strtoul(word_text, NULL, 16);
		memcpy(ret->ip + 4 * i, &word, 4);
	}
	ret->port = (uint16_t)strtoul(text + digits + 1, NULL, 16);
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	if (ret->family == AF_INET6 && !memcmp(ret->ip, mapped, 12)) {
		ret->family = AF_INET;
		memmove(ret->ip, ret->ip + 12, 4);
		memset(ret->ip + 4, 0, 12);
	}
	return true;
}

static bool is_wildcard(const struct endpoint *address)
{
	static const uint8_t zero[16];
	return !memcmp(address->ip, zero, address->family == AF_INET ? 4 : 16);
}

static bool clash(const struct endpoint *a, const struct endpoint *b)
{
	if (a->port != b->port)
		return false;
	if (a->family == b->family)
		return is_wildcard(a) || is_wildcard(b) ||
		       !memcmp(a->ip, b->ip, a->family == AF_INET ? 4 : 16);
	return is_wildcard(a->family == AF_INET6 ? a : b);
}

/*
 * A line of /proc/net/{tcp,udp}{,6}; its first line is a heading and has no number. True to go on: the
 * listening sockets come first, and a host under load has hundreds of thousands of others behind them.
 */
static bool search_line(struct search *search, const char *line)
{
	char local[40];
	unsigned state, uid;
	unsigned long inode;
	struct endpoint address;
	int n = sscanf(
		line, " %*u: %39s %*s %x %*s %*s %*s %u %*s %lu", local, &state, &uid, &inode);
	if (n != 4 || !parse_endpoint(local, &address))
		return true;
	if (search->protocol == IPPROTO_TCP && state != STATE_TCP_LISTEN)
		return false;
	if (inode && clash(&search->address, &address) && search->n_sockets < SOCKETS_MAX)
		search->sockets[search->n_sockets++] = (struct found_socket){ inode, uid, false };
	return true;
}

static int search_file(struct search *search, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[512];
	if (!file)
		return -errno;
	while (fgets(line, sizeof line, file) && search_line(search, line))
		;
	fclose(file);
	return 0;
}

static struct found_socket *find_socket(struct search *search, unsigned long inode)
{
	for (size_t i = 0; i < search->n_sockets; i++)
		if (search->sockets[i].inode == inode)
			return &search->sockets[i];
	return NULL;
}

static void add_process(struct holder *holder, pid_t pid)
{
	if (holder->n_processes == HOLDER_PROCESSES_MAX) {
		holder->has_more = true;
		return;
	}
	struct holder_process *process = &holder->processes[holder->n_processes++];
	*process = (struct holder_process){ .pid = pid, .command = "?" };
	char path[32], name[32];
	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, name, sizeof name);
	if (n > 0)
		text_escape(process->command, sizeof process->command, name,
			(size_t)n - (name[n - 1] == '\n'));
}

/* What one process holds. That its descriptors cannot be read is no error: they are another user's.
 */
static void search_process(struct search *search, pid_t pid)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	if (!dir)
		return;
	bool holds = false;
	for (struct dirent *entry; (entry = readdir(dir));) {
		char target[64];
		unsigned long inode;
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
		if (n <= 0)
			continue;
		target[n] = 0;
		struct found_socket *found = sscanf(target, "socket:[%lu]", &inode) == 1
						     ? find_socket(search, inode)
						     : NULL;
		if (found)
			holds = found->is_seen = true;
	}
	closedir(dir);
	if (holds)
		add_process(search->holder, pid);
}

static int search_processes(struct search *search)
{
	DIR *dir = opendir("/proc");
	if (!dir)
		return -errno;
	for (struct dirent *entry; (entry = readdir(dir));)
		if (isdigit((unsigned char)*entry->d_name))
			search_process(search, (pid_t)atoi(entry->d_name));
	closedir(dir);
	return 0;
}

int holder_find(int protocol, const struct endpoint *address, struct holder *ret)
{
	bool is_tcp = protocol == IPPROTO_TCP;
	struct holder holder = { 0 };
	struct search search = { .protocol = protocol, .address = *address, .holder = &holder };
	if (address->family != AF_INET && address->family != AF_INET6)
		return -EAFNOSUPPORT;
	int r = search_file(&search, is_tcp ? "/proc/net/tcp" : "/proc/net/udp");
	if (r < 0)
		return r;
	/* A kernel without IPv6 has no such file. */
	r = search_file(&search, is_tcp ? "/proc/net/tcp6" : "/proc/net/udp6");
	if (r < 0 && r != -ENOENT)
		return r;
	r = search.n_sockets ? search_processes(&search) : 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < search.n_sockets && !holder.has_hidden; i++) {
		holder.has_hidden = !search.sockets[i].is_seen;
		holder.hidden_uid = search.sockets[i].uid;
	}
	*ret = holder;
	return 0;
}

char *holder_format(char text[HOLDER_TEXT_SIZE], const struct holder *holder)
{
	size_t used = 0;
	text[0] = 0;
	for (size_t i = 0; i < holder->n_processes; i++)
		used += (size_t)snprintf(text + used, HOLDER_TEXT_SIZE - used, "%spid %d (%s)",
			i ? ", " : "", holder->processes[i].pid, holder->processes[i].command);
	if (holder->has_more)
		snprintf(text + used, HOLDER_TEXT_SIZE - used, " and others");
	if (used)
		return text;
	if (!holder->has_hidden)
		snprintf(text, HOLDER_TEXT_SIZE, "nobody");
	else if (holder->hidden_uid != geteuid())
		snprintf(text, HOLDER_TEXT_SIZE, "a process of another user (uid %u)",
			holder->hidden_uid);
	else
		snprintf(text, HOLDER_TEXT_SIZE, "a process that cannot be seen from here");
	return text;
}
