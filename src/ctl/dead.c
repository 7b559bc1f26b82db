#include "ctl/dead.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ctl/exitcode.h"
#include "ctl/reply.h"
#include "ctl/socket_path.h"
#include "net/holder.h"

enum { FILE_MAX = 256 * 1024, SAME_START_MS = 5000 };

/* A whole small file as text, to be freed; NULL and errno. */
static char *read_file(const char *path)
{
	struct stat status;
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) < 0)
		return NULL;
	if (!S_ISREG(status.st_mode)) {
		errno = EINVAL;
		return NULL;
	}
	char *text = malloc(FILE_MAX + 1);
	ssize_t n = text ? read(fd, text, FILE_MAX) : -1;
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[n] = 0;
	return text;
}

void dead_parse_pid(const char *text, pid_t *ret_pid, int64_t *ret_started_at_ms)
{
	char *end;
	long long pid = strtoll(text, &end, 10);
	bool is_pid = end != text && (*end == '\n' || !*end) && pid > 1 && pid <= INT32_MAX;
	long long at = is_pid && *end ? strtoll(end, NULL, 10) : 0;
	*ret_pid = is_pid ? (pid_t)pid : 0;
	*ret_started_at_ms = at > 0 ? at : 0;
}

/* Cuts off the last word of the text and returns it; NULL: there is but one. */
static char *cut_word(char *text)
{
	char *space = strrchr(text, ' ');
	if (!space)
		return NULL;
	*space = 0;
	return space + 1;
}

static bool is_protocol(const char *text)
{
	return !strcmp(text, "tcp") || !strcmp(text, "udp") || !strcmp(text, "unix");
}

/* From both ends: a path may hold blanks. */
json_t *dead_parse_listener(const char *line)
{
	char text[512];
	if (strlen(line) >= sizeof text)
		return NULL;
	strcpy(text, line);
	const char *service = cut_word(text);
	const char *port_text = service ? cut_word(text) : NULL;
	char *address = port_text ? strchr(text, ' ') : NULL;
	if (!address)
		return NULL;
	*address++ = 0;
	char *end;
	unsigned long port = strtoul(port_text, &end, 10);
	if (!*service || !*address || !isdigit((unsigned char)*port_text) || *end || port > 65535 ||
		!is_protocol(text))
		return NULL;
	return json_pack("{s:s, s:s, s:i, s:s}", "protocol", text, "address", address, "port",
		(int)port, "service", service);
}

/* False for an address that is none. "*" is every address of both families. */
static bool parse_address(const char *text, struct endpoint *ret)
{
	char host[64];
	snprintf(host, sizeof host, "%.*s", (int)strcspn(text, "%"), text);
	if (!strcmp(host, "*"))
		strcpy(host, "::");
	ret->family = strchr(host, ':') ? AF_INET6 : AF_INET;
	return inet_pton(ret->family, host, ret->ip) == 1;
}

static void add_holder(json_t *listener)
{
	struct endpoint address = { 0 };
	struct holder holder;
	char text[HOLDER_TEXT_SIZE] = "-";
	json_int_t port = 0;
	reply_integer(listener, "port", &port);
	address.port = (uint16_t)port;
	const char *name = reply_text(listener, "protocol");
	int protocol = !strcmp(name, "udp") ? IPPROTO_UDP : IPPROTO_TCP;
	/* Whose a Unix socket is, /proc does not tell by its name. */
	if (strcmp(name, "unix") && parse_address(reply_text(listener, "address"), &address) &&
		holder_find(protocol, &address, &holder) == 0)
		holder_format(text, &holder);
	json_object_set_new(listener, "held_by", json_string(text));
}

static json_t *read_listeners(const char *path)
{
	json_t *listeners = json_array();
	char *text = read_file(path);
	char *rest = NULL;
	for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line;
		line = strtok_r(NULL, "\n", &rest)) {
		json_t *listener = dead_parse_listener(line);
		if (!listener)
			continue;
		add_holder(listener);
		json_array_append_new(listeners, listener);
	}
	free(text);
	return listeners;
}

/*
 * What /proc/PID/stat says behind "PID (NAME", where the name may hold anything: proc(5). Text is to
 * be freed; NULL if the process is not there.
 */
static const char *read_stat(pid_t pid, char **ret_text)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	*ret_text = read_file(path);
	return *ret_text ? strrchr(*ret_text, ')') : NULL;
}

/* When a process that is not dead started, in ms since 1970; 0 if there is none. */
static int64_t process_started_at(pid_t pid)
{
	char *text;
	const char *field = read_stat(pid, &text);
	if (field && !strncmp(field, ") Z", 3)) /* dead, and not yet waited for */
		field = NULL;
	for (int i = 0; field && i < 20; i++) /* the start is the 20th field behind the name */
		field = strchr(field + 1, ' ');
	unsigned long long ticks = field ? strtoull(field, NULL, 10) : 0;
	free(text);
	if (!field)
		return 0;
	int64_t booted_at_ms = clock_wall_ms();
	struct timespec uptime;
	clock_gettime(CLOCK_BOOTTIME, &uptime);
	booted_at_ms -= (int64_t)uptime.tv_sec * 1000 + uptime.tv_nsec / 1000000;
	return booted_at_ms + (int64_t)(ticks * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
}

static bool is_fdsup(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	char *name = read_file(path);
	bool is = name && !strcmp(name, "fdsup\n");
	free(name);
	return is;
}

/*
 * A process id is used again sooner or later: a process that began after the file was written is
 * another one. Unless it has our name: the clock may have been set since.
 */
static bool is_running(pid_t pid, int64_t started_at_ms)
{
	int64_t process_ms = pid ? process_started_at(pid) : 0;
	if (!process_ms)
		return false;
	return !started_at_ms || process_ms <= started_at_ms + SAME_START_MS || is_fdsup(pid);
}

int dead_inspect(const char *socket_path, struct dead *ret)
{
	struct dead dead = { .pid_file = socket_path_beside(socket_path, "fdsup.pid") };
	char *listeners = socket_path_beside(socket_path, "listeners");
	if (dead.pid_file && listeners) {
		char *text = read_file(dead.pid_file);
		dead.pid_file_error = text ? 0 : errno;
		if (text)
			dead_parse_pid(text, &dead.pid, &dead.started_at_ms);
		free(text);
		dead.is_running = is_running(dead.pid, dead.started_at_ms);
		dead.listeners = read_listeners(listeners);
	}
	free(listeners);
	if (!dead.listeners) {
		dead_fini(&dead);
		return -ENOMEM;
	}
	*ret = dead;
	return 0;
}

void dead_fini(struct dead *dead)
{
	free(dead->pid_file);
	json_decref(dead->listeners);
	*dead = (struct dead){ 0 };
}

static bool has_pid_file(const struct dead *dead)
{
	return dead->pid_file_error == 0;
}

int dead_exitcode(const struct dead *dead)
{
	if (dead->is_running)
		return CTL_UNKNOWN;
	if (has_pid_file(dead))
		return CTL_DEAD;
	return dead->pid_file_error == ENOENT || dead->pid_file_error == ENOTDIR ? CTL_NOT_RUNNING
										 : CTL_UNKNOWN;
}
